/* A listening tcp socket that may stop hearing: while its door is closed the kernel drops whoever knocks, without a
 * word and before a descriptor or memory is spent; connections that were made before notice nothing. Any thread. */
#ifndef NJ_COMMON_DOOR_H
#define NJ_COMMON_DOOR_H

#include <stdbool.h>

/* False: this kernel lets us do neither; all is as before. */
bool nj_door_set(int listener, bool closed);

#endif
