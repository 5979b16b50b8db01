/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies of the packet tier, put together from text. "@NAME@" becomes a public key. */
#ifndef SELFTESTS_PACKET_POLICIES_H
#define SELFTESTS_PACKET_POLICIES_H

/* more: further members of this node's object */
#define POLICY_NODES(more)                                                                   \
	"\"gw\": { \"public_key\": \"@gw@\", \"addresses\": [\"100.64.0.1\", \"fd7a::1\"], " \
	"\"advertise_routes\": [\"192.0.2.0/24\", \"2001:db8:30::/64\", "                    \
	"\"203.0.113.0/24\", \"2001:db8:71::/64\", "                                         \
	"\"198.51.100.0/24\", \"2001:db8:31::/64\", \"10.77.0.0/24\", \"fd77::/64\"], "      \
	"\"lan_interfaces\": [\"lan0\", \"lan1\"]" more " }, "                               \
	"\"branch\": { \"public_key\": \"@branch@\", "                                       \
	"\"addresses\": [\"100.64.0.9\", \"fd7a::9\"], "                                     \
	"\"endpoint\": \"198.18.7.9:51820\", "                                               \
	"\"advertise_routes\": [\"10.9.0.0/24\", \"fd0a:9::/64\"] }"

#define POLICY_PEERS                                                  \
	"\"phone\": { \"public_key\": \"@phone@\", "                  \
	"\"addresses\": [\"100.64.0.2\", \"fd7a::2\"] }, "            \
	"\"tablet\": { \"public_key\": \"@tablet@\", \"mtu\": 1300, " \
	"\"addresses\": [\"100.64.0.3\", \"fd7a::3\"] }, "            \
	"\"expired\": { \"public_key\": \"@expired@\", "              \
	"\"addresses\": [\"100.64.0.4\", \"fd7a::4\"], "              \
	"\"key_expiry\": \"2001-01-01T00:00:00Z\" }"

#define POLICY_APPROVERS                                                   \
	"\"0.0.0.0/1\": [\"gw\", \"branch\"], \"128.0.0.0/1\": [\"gw\"], " \
	"\"2000::/3\": [\"gw\"], \"fd00::/8\": [\"gw\", \"branch\"]"

#define POLICY_MEMBERS POLICY_MEMBERS_WITH("")
#define POLICY_MEMBERS_WITH(more)                                                                  \
	"\"version\": 1, \"tunnel\": { \"interface\": \"tp0\" }, "                                 \
	"\"nodes\": { " POLICY_NODES(more) " }, "                                                  \
					   "\"peers\": { " POLICY_PEERS " }, "                     \
					   "\"auto_approvers\": { \"routes\": { " POLICY_APPROVERS \
					   " } }"

#define POLICY_SNAT(v4, v6)                                \
	", \"routes\": {"                                  \
	"\"192.0.2.0/24\": { \"snat\": \"" v4 "\" }, "     \
	"\"2001:db8:30::/64\": { \"snat\": \"" v6 "\" }, " \
	"\"203.0.113.0/24\": { \"snat\": \"" v4 "\" }, "   \
	"\"2001:db8:71::/64\": { \"snat\": \"" v6 "\" }, " \
	"\"198.51.100.0/24\": { \"snat\": \"" v4 "\" }, "  \
	"\"2001:db8:31::/64\": { \"snat\": \"" v6 "\" } }"

#define NO_SNAT    POLICY_SNAT("none", "none")
#define MASQUERADE POLICY_SNAT("masquerade", "masquerade")
#define SNAT_TO    POLICY_SNAT("192.0.2.5", "2001:db8:30::5")

#define POLICY_GRANTS(list) ", \"grants\": [" list "]"
#define POLICY_LIMITS(list) ", \"limits\": {" list "}"

#define GRANT_ALL "{ \"src\": [\"*\"], \"dst\": [\"*\"] }"
#define GRANT(src, dst, what) \
	"{ \"src\": [\"" src "\"], \"dst\": [\"" dst "\"], \"ip\": [\"" what "\"] }"
#define DENY(src, dst, what)                                                       \
	"{ \"action\": \"deny\", \"src\": [\"" src "\"], \"dst\": [\"" dst "\"], " \
	"\"ip\": [\"" what "\"] }"

#define POLICY(snat, grants, ...) "{" POLICY_MEMBERS snat POLICY_GRANTS(grants) __VA_ARGS__ "}"

/* The same where LAN-to-LAN traffic needs a grant. */
#define POLICY_JUDGED(snat, grants, ...)                                                  \
	"{" POLICY_MEMBERS_WITH(", \"lan_to_lan\": \"judge\"") snat POLICY_GRANTS(grants) \
		__VA_ARGS__ "}"

/* Members of the mesh may go anywhere; nothing else is said. */
#define OPEN_ROUTED POLICY(NO_SNAT, GRANT_ALL, "")
#define OPEN_MASQ   POLICY(MASQUERADE, GRANT_ALL, "")
#define OPEN_SNAT   POLICY(SNAT_TO, GRANT_ALL, "")

/* This node leads to the whole internet. */
#define EXIT_NODE                                                    \
	"{ \"version\": 1, \"tunnel\": { \"interface\": \"tp0\" }, " \
	"\"nodes\": { \"gw\": { \"public_key\": \"@gw@\", "          \
	"\"addresses\": [\"100.64.0.1\", \"fd7a::1\"], "             \
	"\"advertise_routes\": [\"0.0.0.0/0\", \"::/0\"], "          \
	"\"lan_interfaces\": [\"lan0\", \"lan1\"] } }, "             \
	"\"peers\": { " POLICY_PEERS                                 \
	" }, \"auto_approvers\": { \"exit_node\": [\"gw\"] }" POLICY_GRANTS(GRANT_ALL) "}"

/* The hosts of lan0 may go to those of lan1, not the other way. */
#define LAN0_TO_LAN1                                  \
	GRANT("192.0.2.0/24", "198.51.100.0/24", "*") \
	", " GRANT("2001:db8:30::/64", "2001:db8:31::/64", "*")
#define JUDGED_ROUTED POLICY_JUDGED(NO_SNAT, LAN0_TO_LAN1, "")
#define JUDGED_GENERIC                                                                       \
	"{" POLICY_MEMBERS_WITH(", \"lan_to_lan\": \"judge\", \"xdp\": \"generic\"") NO_SNAT \
	POLICY_GRANTS(LAN0_TO_LAN1) "}"
#define JUDGED_MASQ POLICY_JUDGED(MASQUERADE, LAN0_TO_LAN1, "")

/* What the mesh sends is allowed, nothing toward it is. */
#define TO_LAN                                                   \
	GRANT("phone", "192.0.2.0/24", "*")                      \
	", " GRANT("phone", "2001:db8:30::/64", "*") ", " GRANT( \
		"tablet", "192.0.2.0/24", "*") ", " GRANT("tablet", "2001:db8:30::/64", "*")

#endif
