/* The head of a PDU (C706, 12.6.3.1): version 5, minor 0, type, flags, data representation (little end: 10 00 00 00),
 * length of the fragment, of the authentication, call id. Bind (11) and alter context (14) list presentation contexts
 * from byte 24 on: count, three bytes, then each: id, number of transfer syntaxes, a byte, interface (16) and version
 * (4), transfer syntaxes of 20 bytes. A request (0) has the operation's number at byte 22.
 *
 * The interface of a request is the one its context names; clients bind one interface a pipe, so the last one bound
 * serves. Numbers of operations: MS-SCMR, MS-TSCH, MS-WMI, MS-DCOM, MS-DRSR, MS-RRP, MS-SRVS, MS-WKST, MS-SAMR,
 * MS-LSAD, MS-RPRN, MS-EFSR, MS-DFSNM, MS-FSRVP, MS-NRPC, MS-RSP, MS-BKRP. */
#include "sensor/rpc.h"

#include <stdbool.h>
#include <string.h>

enum { REQUEST = 0, BIND = 11, ALTER_CONTEXT = 14 };

#define REQUEST_BYTES  24
#define CONTEXTS_AT    24
#define CONTEXTS_MAX   8
#define SYNTAXES_MAX   8
#define OPERATIONS_MAX 12

struct operation {
	uint16_t number;
	const char *name;
};

static const struct interface {
	const char *name;
	uint8_t id[16]; /* as on the wire */
	struct operation operation[OPERATIONS_MAX];
} interfaces[] = {
	{"", {0}, {{0, NULL}}}, /* NJ_RPC_NONE */
	{"svcctl",
	 {0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03},
	 {{2, "DeleteService"},
	  {11, "ChangeServiceConfigW"},
	  {12, "CreateServiceW"},
	  {15, "OpenSCManagerW"},
	  {16, "OpenServiceW"},
	  {19, "StartServiceW"},
	  {23, "ChangeServiceConfigA"},
	  {24, "CreateServiceA"},
	  {31, "StartServiceA"}}},
	{"atsvc",
	 {0x82, 0x06, 0xf7, 0x1f, 0x51, 0x0a, 0xe8, 0x30, 0x07, 0x6d, 0x74, 0x0b, 0xe8, 0xce, 0xe9, 0x8b},
	 {{0, "NetrJobAdd"}, {2, "NetrJobEnum"}}},
	{"tasks",
	 {0x49, 0x59, 0xd3, 0x86, 0xc9, 0x83, 0x44, 0x40, 0xb4, 0x24, 0xdb, 0x36, 0x32, 0x31, 0xfd, 0x0c},
	 {{1, "SchRpcRegisterTask"}, {12, "SchRpcRun"}, {13, "SchRpcDelete"}}},
	{"wmi-login", /* IWbemLevel1Login */
	 {0x18, 0xad, 0x09, 0xf3, 0x6a, 0xd8, 0xd0, 0x11, 0xa0, 0x75, 0x00, 0xc0, 0x4f, 0xb6, 0x88, 0x20},
	 {{6, "NTLMLogin"}}},
	{"wmi", /* IWbemServices */
	 {0x99, 0xdc, 0x56, 0x95, 0x8c, 0x82, 0xcf, 0x11, 0xa3, 0x7e, 0x00, 0xaa, 0x00, 0x32, 0x40, 0xc7},
	 {{6, "GetObject"},
	  {8, "PutClass"},
	  {14, "PutInstance"},
	  {20, "ExecQuery"},
	  {24, "ExecMethod"},
	  {25, "ExecMethodAsync"}}},
	{"dcom", /* IRemoteSCMActivator */
	 {0xa0, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46},
	 {{3, "RemoteGetClassObject"}, {4, "RemoteCreateInstance"}}},
	{"dcom-old", /* IActivation */
	 {0xb8, 0x4a, 0x9f, 0x4d, 0x1c, 0x7d, 0xcf, 0x11, 0x86, 0x1e, 0x00, 0x20, 0xaf, 0x6e, 0x7c, 0x57},
	 {{0, "RemoteActivation"}}},
	{"dispatch", /* IDispatch: an automation object such as MMC20.Application */
	 {0x00, 0x04, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46},
	 {{6, "Invoke"}}},
	{"drsuapi",
	 {0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11, 0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2},
	 {{3, "GetNCChanges"}, {5, "ReplicaAdd"}, {12, "CrackNames"}, {17, "AddEntry"}}},
	{"backupkey",
	 {0x30, 0x7c, 0xde, 0x3d, 0x5d, 0x16, 0xd1, 0x11, 0xab, 0x8f, 0x00, 0x80, 0x5f, 0x14, 0xdb, 0x40},
	 {{0, "BackuprKey"}}},
	{"winreg",
	 {0x01, 0xd0, 0x8c, 0x33, 0x44, 0x22, 0xf1, 0x31, 0xaa, 0xaa, 0x90, 0x00, 0x38, 0x00, 0x10, 0x03},
	 {{6, "BaseRegCreateKey"}, {20, "BaseRegSaveKey"}, {22, "BaseRegSetValue"}}},
	{"shutdown",
	 {0xc0, 0xe0, 0x4d, 0x89, 0x55, 0x0d, 0xd3, 0x11, 0xa3, 0x22, 0x00, 0xc0, 0x4f, 0xa3, 0x21, 0xa1},
	 {{0, "BaseInitiateShutdown"}, {2, "BaseInitiateShutdownEx"}}},
	{"spoolss",
	 {0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab},
	 {{65, "RemoteFindFirstPrinterChangeNotificationEx"}, {89, "AddPrinterDriverEx"}}},
	{"efsrpc",
	 {0x88, 0xd4, 0x81, 0xc6, 0x50, 0xd8, 0xd0, 0x11, 0x8c, 0x52, 0x00, 0xc0, 0x4f, 0xd9, 0x0f, 0x7e},
	 {{0, "EfsRpcOpenFileRaw"}, {4, "EfsRpcEncryptFileSrv"}, {5, "EfsRpcDecryptFileSrv"}}},
	{"efsrpc",
	 {0xc5, 0x41, 0x19, 0xdf, 0x89, 0xfe, 0x79, 0x4e, 0xbf, 0x10, 0x46, 0x36, 0x57, 0xac, 0xf4, 0x4d},
	 {{0, "EfsRpcOpenFileRaw"}, {4, "EfsRpcEncryptFileSrv"}, {5, "EfsRpcDecryptFileSrv"}}},
	{"dfsnm",
	 {0xe0, 0x42, 0xc7, 0x4f, 0x10, 0x4a, 0xcf, 0x11, 0x82, 0x73, 0x00, 0xaa, 0x00, 0x4a, 0xe6, 0x73},
	 {{12, "NetrDfsAddStdRoot"}, {13, "NetrDfsRemoveStdRoot"}}},
	{"fsrvp",
	 {0x3c, 0x65, 0xe0, 0xa8, 0x44, 0x27, 0x89, 0x43, 0xa6, 0x1d, 0x73, 0x73, 0xdf, 0x8b, 0x22, 0x92},
	 {{8, "IsPathSupported"}, {9, "IsPathShadowCopied"}}},
	{"netlogon",
	 {0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0xcf, 0xfb},
	 {{4, "NetrServerReqChallenge"}, {26, "NetrServerAuthenticate3"}, {30, "NetrServerPasswordSet2"}}},
	{"samr",
	 {0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xac},
	 {{6, "EnumerateDomains"},
	  {11, "EnumerateGroups"},
	  {13, "EnumerateUsers"},
	  {15, "EnumerateAliases"},
	  {33, "GetMembersInAlias"},
	  {50, "CreateUser2"}}},
	{"lsarpc",
	 {0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab},
	 {{13, "EnumerateTrustedDomains"}, {15, "LookupSids"}, {14, "LookupNames"}}},
	{"srvsvc",
	 {0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88},
	 {{12, "NetrSessionEnum"}, {15, "NetrShareEnum"}, {36, "NetrShareEnumSticky"}}},
	{"wkssvc",
	 {0x98, 0xd0, 0xff, 0x6b, 0x12, 0xa1, 0x10, 0x36, 0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a},
	 {{2, "NetrWkstaUserEnum"}}},
};

#define INTERFACES (sizeof interfaces / sizeof interfaces[0])

static uint16_t u16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

/* A PDU's head with lengths that agree; its type, or -1. */
static int head_at(const uint8_t *data, size_t size)
{
	static const uint8_t little_end[4] = {0x10, 0, 0, 0};
	if (size < REQUEST_BYTES || data[0] != 5 || data[1] != 0 || memcmp(data + 4, little_end, 4) != 0)
		return -1;
	if (data[2] != REQUEST && data[2] != BIND && data[2] != ALTER_CONTEXT)
		return -1;
	uint16_t fragment = u16(data + 8), authentication = u16(data + 10);
	if (fragment < REQUEST_BYTES || (authentication > 0 && authentication + REQUEST_BYTES > fragment))
		return -1;
	return data[2];
}

static uint8_t interface_of(const uint8_t id[16])
{
	for (size_t i = 1; i < INTERFACES; i++)
		if (memcmp(interfaces[i].id, id, 16) == 0)
			return (uint8_t)i;
	return NJ_RPC_NONE;
}

/* The first interface of the table among those that a binding lists; NJ_RPC_NONE when it lists others only. */
static uint8_t bound_at(const uint8_t *data, size_t size)
{
	unsigned contexts = data[CONTEXTS_AT];
	size_t at = CONTEXTS_AT + 4;
	for (unsigned i = 0; i < contexts && i < CONTEXTS_MAX; i++) {
		if (size < at + 24)
			return NJ_RPC_NONE;
		unsigned syntaxes = data[at + 2];
		uint8_t found = interface_of(data + at + 4);
		if (found != NJ_RPC_NONE)
			return found;
		if (syntaxes > SYNTAXES_MAX)
			return NJ_RPC_NONE;
		at += 24 + 20 * syntaxes;
	}
	return NJ_RPC_NONE;
}

static const char *operation_of(uint8_t interface, uint16_t number)
{
	for (int i = 0; i < OPERATIONS_MAX && interfaces[interface].operation[i].name != NULL; i++)
		if (interfaces[interface].operation[i].number == number)
			return interfaces[interface].operation[i].name;
	return NULL;
}

/* One PDU into a call; false: nothing to tell. */
static bool call_at(const uint8_t *data, size_t size, int type, uint8_t *bound, struct nj_rpc_call *ret_call)
{
	if (type == REQUEST) {
		const char *operation = operation_of(*bound, u16(data + 22));
		if (operation == NULL)
			return false;
		*ret_call = (struct nj_rpc_call){interfaces[*bound].name, operation};
		return true;
	}
	if (size < CONTEXTS_AT + 4)
		return false;
	uint8_t found = bound_at(data, size);
	if (type == ALTER_CONTEXT && found == NJ_RPC_NONE)
		return false; /* what was bound before stays */
	*bound = found;
	*ret_call = (struct nj_rpc_call){interfaces[found].name, ""};
	return found != NJ_RPC_NONE;
}

unsigned nj_rpc_scan(const uint8_t *data, size_t size, uint8_t *bound, struct nj_rpc_call ret_calls[NJ_RPC_CALLS_MAX])
{
	unsigned n = 0;
	if (*bound >= INTERFACES)
		*bound = NJ_RPC_NONE;
	for (size_t at = 0; at + REQUEST_BYTES <= size && n < NJ_RPC_CALLS_MAX;) {
		const uint8_t *found = memchr(data + at, 5, size - at - REQUEST_BYTES + 1);
		if (found == NULL)
			break;
		at = (size_t)(found - data);
		int type = head_at(found, size - at);
		if (type < 0) {
			at++;
			continue;
		}
		n += call_at(found, size - at, type, bound, &ret_calls[n]);
		size_t fragment = u16(found + 8);
		at += fragment < size - at ? fragment : size - at;
	}
	return n;
}
