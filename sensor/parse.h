/* The verdict of every parser that reads the opening bytes of a flow. A parser is pure: it borrows the bytes, fills a
 * struct that the caller owns, keeps nothing, allocates nothing, and may be called by any thread. The calling pattern
 * is the same for all: hand it all the bytes of one direction seen so far, from the first; on NJ_PARSE_MORE come back
 * with more, and give up at a bound of your own. */
#ifndef NJ_SENSOR_PARSE_H
#define NJ_SENSOR_PARSE_H

enum nj_parse {
	NJ_PARSE_DONE, /* the struct is filled */
	NJ_PARSE_MORE, /* so far it fits, but it goes on behind the bytes at hand */
	NJ_PARSE_NO,   /* it is not this protocol, or broken beyond reading: no further byte will change that */
};

#endif
