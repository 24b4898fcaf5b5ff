/* The feature table: every number of an agent window, one row each. From these rows come the struct, the encoder, the
 * decoder, the merge, the JSON of `nightjar windows` and the reference page; a feature cannot exist undocumented. The
 * rows in order are the wire format: a change changes NJ_FEATURE_TABLE_ID, and peers of different ids refuse each other
 * by name.
 *
 * All shipped features are unsigned integers, so that merging commutes exactly. "Out" is what the agent sent, "in" what
 * it received; "external" is a peer outside the home networks. Bytes are application payload without retransmissions
 * unless the row says otherwise. */
#ifndef NJ_COMMON_FEATURE_TABLE_H
#define NJ_COMMON_FEATURE_TABLE_H

/* Scalars: X(name, unit, merge rule SUM|MAX|MIN|OR, meaning). uint64_t each. MIN treats 0 as absent. */
#define NJ_FEATURE_SCALARS(X)                                                                                          \
	/* volume */                                                                                                   \
	X(bytes_out_external, "B", SUM, "payload sent to external peers")                                              \
	X(bytes_in_external, "B", SUM, "payload received from external peers")                                         \
	X(bytes_out_internal, "B", SUM, "payload sent to home networks")                                               \
	X(bytes_in_internal, "B", SUM, "payload received from home networks")                                          \
	X(packets_out, "packets", SUM, "packets sent, empty ones included")                                            \
	X(packets_in, "packets", SUM, "packets received, empty ones included")                                         \
	X(retransmitted_bytes, "B", SUM, "payload seen again in either direction, counted nowhere else")               \
	/* flows and their outcome; an outcome counts in the window in which it became known */                        \
	X(flows_opened, "flows", SUM, "flows this agent opened")                                                       \
	X(flows_accepted, "flows", SUM, "flows others opened towards this agent")                                      \
	X(flows_answered, "flows", SUM, "opened flows that were answered")                                             \
	X(flows_refused, "flows", SUM, "opened flows refused by RST or ICMP unreachable")                              \
	X(flows_unanswered, "flows", SUM, "opened flows without any answer within 5 s")                                \
	X(flows_reset, "flows", SUM, "opened flows answered, then reset before any payload (half-open probes)")        \
	X(flows_midstream, "flows", SUM, "flows whose start was not seen")                                             \
	X(flows_one_sided, "flows", SUM, "flows of which one direction was never seen although there must be one")     \
	X(icmp_unreachable_in, "packets", SUM, "ICMP unreachable messages received")                                   \
	X(arp_requests, "packets", SUM, "ARP requests sent")                                                           \
	/* contacts: their number before the cap; the rest is what the cap left out */                                 \
	X(contacts_rest, "contacts", SUM, "contacts beyond the cap, kept only in sketches")                            \
	X(rest_failed, "flows", SUM, "flows refused or unanswered among the rest")                                     \
	X(rest_answered, "flows", SUM, "flows answered among the rest")                                                \
	X(rest_bytes_out, "B", SUM, "payload sent to the rest")                                                        \
	X(rest_bytes_in, "B", SUM, "payload received from the rest")                                                   \
	X(contacts_lost, "contacts", SUM, "contacts a full sensor table could not keep: counted, not in sketches")     \
	/* DNS, asked by this agent */                                                                                 \
	X(dns_queries, "queries", SUM, "DNS questions asked")                                                          \
	X(dns_responses, "answers", SUM, "DNS answers received")                                                       \
	X(dns_nxdomain, "answers", SUM, "answers 'no such name'")                                                      \
	X(dns_free_text, "queries", SUM,                                                                               \
	  "questions for types that carry free data: TXT, NULL, CNAME, MX, SRV, ANY, private")                         \
	X(dns_name_bytes, "B", SUM, "length of the names asked for")                                                   \
	X(dns_answer_bytes, "B", SUM, "resource data in the answers")                                                  \
	X(dns_malformed, "messages", SUM, "messages on DNS ports that do not parse")                                   \
	X(dns_encrypted_flows, "flows", SUM, "flows opened to DNS over TLS or HTTPS servers, as far as labelled")      \
	/* ICMP echo */                                                                                                \
	X(icmp_echo_out, "packets", SUM, "echo requests and replies sent")                                             \
	X(icmp_payload_bytes_out, "B", SUM, "payload of them")                                                         \
	X(icmp_large_out, "packets", SUM, "of them with more than 64 bytes of payload")                                \
	X(icmp_mismatched, "packets", SUM, "echo replies whose payload is not that of the request")                    \
	X(icmp_unsolicited_out, "packets", SUM, "echo replies sent without a request seen")                            \
	X(icmp_entropy_mbit, "mbit", SUM,                                                                              \
	  "payload entropy per byte of large echo packets, in 1/1000 bit, summed over them")                           \
	/* requests inside flows: HTTP requests, and upload bursts of TLS flows */                                     \
	X(requests, "requests", SUM, "requests sent")                                                                  \
	X(response_mode_count, "answers", MAX, "how often the commonest (server, answer size) pair came")              \
	X(http_errors, "answers", SUM, "clear-text HTTP answers 400 to 599")                                           \
	/* credentials, as far as the wire shows */                                                                    \
	X(auth_succeeded, "logins", SUM, "logins that went through (SSH by volume, Kerberos by reply)")                \
	X(auth_failed, "logins", SUM, "logins that did not (SSH by volume, Kerberos errors, HTTP 401)")                \
	X(tickets_requested, "tickets", SUM, "Kerberos service tickets asked for")                                     \
	X(tickets_rc4, "tickets", SUM, "of them offering only RC4 (etype 23)")                                         \
	/* fingerprints and risks */                                                                                   \
	X(tls_flows, "flows", SUM, "flows opened with a TLS ClientHello")                                              \
	X(quic_flows, "flows", SUM, "flows opened with a QUIC ClientHello")                                            \
	X(quic_unread, "flows", SUM, "flows of QUIC whose ClientHello could not be read")                              \
	X(ssh_flows, "flows", SUM, "flows opened with an SSH banner")                                                  \
	/* exchanges: requests with an answer on flows this agent opened, wherever records or messages can be told;    \
	 * tools */                                                                                                    \
	X(exchanges, "exchanges", SUM, "exchanges answered: each counts in the window in which its answer began")      \
	X(exchanges_streamed, "exchanges", SUM,                                                                        \
	  "of them answered in the shape of a token stream (score of 500 and more)")                                   \
	X(exchanges_marked, "exchanges", SUM, "of them with a known model's name, path or header")                     \
	X(exchange_bytes_up, "B", SUM, "sent in all of them")                                                          \
	X(exchange_bytes_down, "B", SUM, "received in all of them")                                                    \
	X(exchanges_rest, "exchanges", SUM, "exchanges beyond the cap of the list")                                    \
	X(tool_calls, "calls", SUM,                                                                                    \
	  "clear-text calls to tool servers (MCP, A2A, JSON-RPC), and Windows remote procedure calls that are known")  \
	X(tools_rest, "calls", SUM, "of them those beyond the cap of the list")                                        \
	X(ndpi_risks, "bits", OR, "nDPI risk bits of this agent's flows")                                              \
	X(first_ns, "ns", MIN, "first packet of the agent in the window")                                              \
	X(last_ns, "ns", MAX, "last packet of the agent in the window")

/* Vectors: X(name, element type, length, merge rule, unit, meaning). Absent (NULL) means all zero.
 * DISTINCT: HyperLogLog registers of keyed 64-bit hashes, element-wise maximum.
 * HISTOGRAM: counts in logarithmic buckets (models/ddsketch.h), element-wise sum. */
#define NJ_DISTINCT_REGISTERS 256
#define NJ_HISTOGRAM_BUCKETS  128
#define NJ_FEATURE_VECTORS(X)                                                                                          \
	X(rest_peers, DISTINCT, "peers", "distinct peers among the rest")                                              \
	X(rest_peer_ports, DISTINCT, "peer ports", "distinct (peer, port) among the rest")                             \
	X(rest_ports, DISTINCT, "ports", "distinct ports among the rest")                                              \
	X(rest_networks, DISTINCT, "networks", "distinct /24 (IPv6: /64) among the rest")                              \
	X(principals, DISTINCT, "principals", "distinct Kerberos client names used")                                   \
	X(services_asked, DISTINCT, "services", "distinct Kerberos service names asked for")                           \
	X(tool_names, DISTINCT, "tools", "distinct (server, tool name) called in clear text")                          \
	X(flow_duration_ms, HISTOGRAM, "ms", "duration of the flows that closed by FIN or RST")                        \
	X(dns_name_length, HISTOGRAM, "B", "length of the names asked for")                                            \
	X(dns_name_entropy, HISTOGRAM, "mbit",                                                                         \
	  "entropy per character of the part left of the registered domain, 1/1000 bit")                               \
	X(request_size, HISTOGRAM, "B", "size of requests")

/* Derived in the aggregator from shipped features, contacts and the profile: X(name, unit, formula or source, meaning).
 */
#define NJ_FEATURES_DERIVED(X)                                                                                         \
	X(pcr_external, "-1..1", "(out-in)/(out+in), external bytes", "producer-consumer ratio: 1 pushes, -1 pulls")   \
	X(peers, "peers", "distinct peers of the contacts, plus rest_peers", "fan-out by host")                        \
	X(peer_ports, "peer ports", "distinct (peer, port), plus rest_peer_ports", "fan-out by service")               \
	X(ports, "ports", "distinct ports, plus rest_ports", "ports addressed")                                        \
	X(networks, "networks", "distinct /24 or /64, plus rest_networks", "networks addressed")                       \
	X(ports_per_peer_max, "ports", "largest number of ports on one peer", "vertical breadth")                      \
	X(fail_ratio, "0..1", "(refused+unanswered)/(answered+refused+unanswered+reset)", "share of failed openings")  \
	X(port_entropy, "0..1", "entropy of ports over opened flows / ln(ports)", "spread over ports")                 \
	X(peer_entropy, "0..1", "entropy of peers over opened flows / ln(peers)", "spread over peers")                 \
	X(service_entropy, "nat", "entropy of applications over distinct (peer, application)", "protocol breadth")     \
	X(admin_services, "services",                                                                                  \
	  "distinct of ssh, rdp, winrm, smb, ldap, kerberos, rpc, vnc, databases, kubernetes, docker",                 \
	  "administrative breadth")                                                                                    \
	X(secrets_touched, "contacts", "contacts with instance metadata, docker, kubelet, etcd, vault, consul",        \
	  "secrets plane")                                                                                             \
	X(new_edges, "edges", "(peer, port) not seen from this agent in 30 days", "novelty")                           \
	X(new_edge_bits, "bit", "sum of -log2 P(edge | fleet) over new edges", "surprise of them")                     \
	X(decoy_hits, "contacts", "contacts with decoys of the inventory", "touched what nobody should")               \
	X(bytes_out_top_peer, "B", "largest bytes_out of a contact", "concentration of upload")                        \
	X(bytes_out_new_peers, "B", "bytes_out to peers first seen today", "upload to the unknown")                    \
	X(bytes_out_class, "B[8]", "bytes_out by class web, storage, code, paste, mail, language model, dns, other",   \
	  "where uploads go")                                                                                          \
	X(flow_duration_p50, "ms", "median of flow_duration_ms", "typical flow length")                                \
	X(flow_duration_p95, "ms", "95 % quantile of flow_duration_ms", "long flows")                                  \
	X(dns_nx_ratio, "0..1", "dns_nxdomain/dns_responses", "share of failed names")                                 \
	X(dns_length_p95, "B", "95 % quantile of dns_name_length", "long names")                                       \
	X(dns_entropy_p95, "mbit", "95 % quantile of dns_name_entropy", "random names")                                \
	X(dns_information_top, "B/h", "largest information rate of a registered domain (models/dnsinfo.h)",            \
	  "bytes carried out in names")                                                                                \
	X(request_rate, "1/s", "requests/width", "tempo of requests")                                                  \
	X(request_size_iqr, "B", "interquartile range of request_size", "sameness of requests")                        \
	X(response_mode_share, "0..1", "response_mode_count/requests", "share of the commonest answer")                \
	X(gap_p50, "s", "median gap between successive contact starts, last 64", "tempo")                              \
	X(gap_sigma_ln, "1", "MADN of ln gap", "irregularity of tempo")                                                \
	X(think_mass, "0..1", "share of gaps in 1.5..15 s", "pauses as of thinking")                                   \
	X(burst_mass, "0..1", "share of gaps below 1 s", "machine bursts")                                             \
	X(gap_bimodality, "0..1", "(skewness^2+1)/(kurtosis+3(n-1)^2/((n-2)(n-3))) of ln gap", "two tempi")            \
	X(idle_max, "s", "longest silence in 24 h", "rest")                                                            \
	X(activity_roundness, "0..1", "1 - |sum h_k e^(i w k)|/sum h, 24 hourly bins, 14 d half-life",                 \
	  "no daily rhythm: 1")                                                                                        \
	X(duty, "0..1", "share of minutes of the last hour with a contact", "persistence")                             \
	X(beacon_score, "0..1", "largest regularity score of a peer (models/beacon.h)", "regular calls")               \
	X(beacon_period, "s", "its median interval", "their period")                                                   \
	X(beacon_prevalence, "0..1", "share of agents that contact the same peer", "commonness of it")

#endif
