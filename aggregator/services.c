/* Ports as their makers publish them. A service on another port is not recognised here; it is still new to the agent
 * and surprising to its group, which is what other evidence goes by. */
#include "aggregator/services.h"

#include <stdio.h>

enum use { NONE = 0, ADMIN = 1, CONTROL = 2 };

static const struct {
	uint16_t port;
	uint8_t use;
	const char *word;
} tcp_services[] = {
	{22, ADMIN | CONTROL, "ssh"},
	{23, ADMIN | CONTROL, "telnet"},
	{88, ADMIN, "kerberos"},
	{135, ADMIN | CONTROL, "rpc"},
	{139, ADMIN | CONTROL, "smb"},
	{389, ADMIN, "ldap"},
	{445, ADMIN | CONTROL, "smb"},
	{512, ADMIN | CONTROL, "rexec"},
	{513, ADMIN | CONTROL, "rlogin"},
	{514, ADMIN | CONTROL, "rsh"},
	{593, ADMIN | CONTROL, "rpc"},
	{636, ADMIN, "ldap"},
	{1433, ADMIN, "mssql"},
	{1521, ADMIN, "oracle"},
	{2375, ADMIN | CONTROL, "docker"},
	{2376, ADMIN | CONTROL, "docker"},
	{3268, ADMIN, "ldap"},
	{3269, ADMIN, "ldap"},
	{3306, ADMIN, "mysql"},
	{3389, ADMIN | CONTROL, "rdp"},
	{5432, ADMIN, "postgres"},
	{5900, ADMIN | CONTROL, "vnc"},
	{5985, ADMIN | CONTROL, "winrm"},
	{5986, ADMIN | CONTROL, "winrm"},
	{6379, ADMIN, "redis"},
	{6443, ADMIN | CONTROL, "kubernetes"},
	{10250, ADMIN | CONTROL, "kubelet"},
	{27017, ADMIN, "mongodb"},
};

static const struct {
	uint16_t port;
	const char *word;
} secrets_services[] = {
	{2375, "docker"}, {2376, "docker"}, {2379, "etcd"},   {2380, "etcd"},     {6443, "kubernetes"},
	{8200, "vault"},  {8500, "consul"}, {8501, "consul"}, {10250, "kubelet"}, {10255, "kubelet"},
};

static uint8_t use_of(uint8_t protocol, uint16_t port, const char **ret_word)
{
	if (protocol == 17 && port == 88) {
		*ret_word = "kerberos";
		return ADMIN;
	}
	if (protocol == 17 && port == 3389) {
		*ret_word = "rdp";
		return ADMIN | CONTROL;
	}
	for (size_t i = 0; protocol == 6 && i < sizeof tcp_services / sizeof *tcp_services; i++)
		if (tcp_services[i].port == port) {
			*ret_word = tcp_services[i].word;
			return tcp_services[i].use;
		}
	return NONE;
}

bool nj_service_is_admin(uint8_t protocol, uint16_t port)
{
	const char *word;
	return (use_of(protocol, port, &word) & ADMIN) != 0;
}

bool nj_service_is_remote_control(uint8_t protocol, uint16_t port)
{
	const char *word;
	return (use_of(protocol, port, &word) & CONTROL) != 0;
}

char *nj_service_word(uint8_t protocol, uint16_t port, char text[16])
{
	const char *word = NULL;
	use_of(protocol, port, &word);
	if (word != NULL)
		snprintf(text, 16, "%s", word);
	else
		snprintf(text, 16, "port %u", port);
	return text;
}

const char *nj_service_secrets(const struct nj_addr *peer, uint8_t protocol, uint16_t port)
{
	static const struct nj_addr v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 169, 254, 169, 254}},
				    v6 = {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}};
	if (protocol != 6)
		return NULL;
	if (nj_addr_equal(peer, &v4) || nj_addr_equal(peer, &v6))
		return port == 80 || port == 443 ? "instance metadata" : NULL;
	for (size_t i = 0; i < sizeof secrets_services / sizeof *secrets_services; i++)
		if (secrets_services[i].port == port)
			return secrets_services[i].word;
	return NULL;
}
