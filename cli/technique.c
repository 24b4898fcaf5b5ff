/* What technique ids stand for, for people who do not know them by heart. Names are those of MITRE ATT&CK and ATLAS;
 * only what the detectors can say is here. */
#include "cli/report.h"

#include <string.h>

static const struct {
	const char *id, *words;
} techniques[] = {
	{"T1003.002", "Security Account Manager"},
	{"T1003.006", "DCSync"},
	{"T1018", "Remote System Discovery"},
	{"T1020", "Automated Exfiltration"},
	{"T1021", "Remote Services"},
	{"T1021.001", "Remote Desktop Protocol"},
	{"T1021.002", "SMB/Windows Admin Shares"},
	{"T1021.003", "Distributed Component Object Model"},
	{"T1021.004", "SSH"},
	{"T1021.006", "Windows Remote Management"},
	{"T1029", "Scheduled Transfer"},
	{"T1030", "Data Transfer Size Limits"},
	{"T1041", "Exfiltration Over C2 Channel"},
	{"T1046", "Network Service Discovery"},
	{"T1047", "Windows Management Instrumentation"},
	{"T1048", "Exfiltration Over Alternative Protocol"},
	{"T1048.001", "Exfiltration Over Symmetric Encrypted Non-C2 Protocol"},
	{"T1048.002", "Exfiltration Over Asymmetric Encrypted Non-C2 Protocol"},
	{"T1048.003", "Exfiltration Over Unencrypted Non-C2 Protocol"},
	{"T1053.005", "Scheduled Task"},
	{"T1059", "Command and Scripting Interpreter"},
	{"T1068", "Exploitation for Privilege Escalation"},
	{"T1071", "Application Layer Protocol"},
	{"T1071.001", "Web Protocols"},
	{"T1071.004", "DNS"},
	{"T1074", "Data Staged"},
	{"T1087.002", "Domain Account"},
	{"T1095", "Non-Application Layer Protocol"},
	{"T1102.002", "Bidirectional Communication over a Web Service"},
	{"T1110", "Brute Force"},
	{"T1110.001", "Password Guessing"},
	{"T1110.003", "Password Spraying"},
	{"T1112", "Modify Registry"},
	{"T1135", "Network Share Discovery"},
	{"T1187", "Forced Authentication"},
	{"T1190", "Exploit Public-Facing Application"},
	{"T1207", "Rogue Domain Controller"},
	{"T1210", "Exploitation of Remote Services"},
	{"T1497", "Virtualization/Sandbox Evasion"},
	{"T1529", "System Shutdown/Reboot"},
	{"T1552", "Unsecured Credentials"},
	{"T1552.005", "Cloud Instance Metadata API"},
	{"T1555", "Credentials from Password Stores"},
	{"T1558.003", "Kerberoasting"},
	{"T1562", "Impair Defenses"},
	{"T1567", "Exfiltration Over Web Service"},
	{"T1567.002", "Exfiltration to Cloud Storage"},
	{"T1569.002", "Service Execution"},
	{"T1571", "Non-Standard Port"},
	{"T1572", "Protocol Tunneling"},
	{"T1573", "Encrypted Channel"},
	{"T1588.007", "Obtain Capabilities: Artificial Intelligence"},
	{"T1595", "Active Scanning"},
	{"T1595.001", "Scanning IP Blocks"},
	{"T1595.002", "Vulnerability Scanning"},
	{"T1595.003", "Wordlist Scanning"},
	{"T1611", "Escape to Host"},
	{"T1613", "Container and Resource Discovery"},
	{"AML.T0006", "Active Scanning"},
	{"AML.T0012", "Valid Accounts"},
	{"AML.T0024", "Exfiltration via AI Inference API"},
	{"AML.T0025", "Exfiltration via Cyber Means"},
	{"AML.T0053", "AI Agent Tool Invocation"},
	{"AML.T0055", "Unsecured Credentials"},
	{"AML.T0072", "Reverse Shell"},
	{"AML.T0086", "Exfiltration via AI Agent Tool Invocation"},
	{"AML.T0090", "OS Credential Dumping"},
	{"AML.T0091", "Use Alternate Authentication Material"},
	{"AML.T0096", "AI Service API"},
	{"AML.T0097", "Virtualization/Sandbox Evasion"},
	{"AML.T0103", "Deploy AI Agent"},
	{"AML.T0105", "Escape to Host"},
};

const char *nj_technique_words(const char *id)
{
	for (size_t i = 0; i < sizeof techniques / sizeof techniques[0]; i++) {
		if (strcmp(techniques[i].id, id) == 0)
			return techniques[i].words;
	}
	return "";
}
