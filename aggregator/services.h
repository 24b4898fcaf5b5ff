/* Which services are for administering machines, and which hand out secrets: by port, as a passive watcher must. Pure.
 */
#ifndef NJ_AGGREGATOR_SERVICES_H
#define NJ_AGGREGATOR_SERVICES_H

#include "common/window.h"

#include <stdbool.h>
#include <stdint.h>

/* ssh, telnet, rdp, winrm, smb, ldap, kerberos, rpc, vnc, databases, kubernetes, docker. */
bool nj_service_is_admin(uint8_t protocol, uint16_t port);
/* Of them those with which one runs commands on another machine: what lateral movement goes by. */
bool nj_service_is_remote_control(uint8_t protocol, uint16_t port);
/* Short word for an administrative service, "ssh"; the port's number otherwise. *text* of at least 16 bytes; returns
 * it. */
char *nj_service_word(uint8_t protocol, uint16_t port, char text[16]);

/* Instance metadata, docker, kubelet, kubernetes, etcd, vault, consul: "instance metadata"; NULL when it is none. */
const char *nj_service_secrets(const struct nj_addr *peer, uint8_t protocol, uint16_t port);

#endif
