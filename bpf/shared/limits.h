/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LIMITS_H
#define SW_LIMITS_H

/* Every number that bounds a table, a loop or an option, in one place. */

#define SW_WAYS 8		 /* slots per bucket; a key has two buckets */
#define SW_FILL_NUM 3		 /* slots per wanted entry: 3/2, so that a table filled to its */
#define SW_FILL_DEN 2		 /* nominal size evicts nothing (4/3: up to 3 of 262,144) */
#define SW_TAKE_TRIES 2		 /* to replace an entry that other CPUs take as well */
#define SW_STRIPES 4096		 /* flow locks; a power of two */

#define SW_MAX_LISTENERS 1024	 /* index 0 is "none of them" */
#define SW_MAX_LEARNED 512	 /* of these, learned from SYN-ACKs */
#define SW_MAX_SAME_PORT 64	 /* listeners on one port that a lookup walks */
#define SW_LEARN_TRIES 4	 /* to add a listener, against other CPUs that do */
#define SW_MAX_DEVICES 64	 /* devices attached in one network namespace */
#define SW_RING 256		 /* one-second slots of a gauge; a power of two */

#define SW_MAX_VLAN_TAGS 2
#define SW_MAX_EXT_HEADERS 8	 /* IPv6 extension headers before TCP */
#define SW_MAX_TCP_OPTIONS 40	 /* bytes, and so the most options there can be */

/* Options of attach: default, least, most. */
#define SW_MAX_FLOWS_DEFAULT 262144u
#define SW_MAX_FLOWS_MIN 64u
#define SW_MAX_FLOWS_MAX 16777216u
#define SW_MAX_HALF_OPEN_DEFAULT 65536u
#define SW_MAX_HALF_OPEN_MIN 64u
#define SW_MAX_HALF_OPEN_MAX 4194304u
#define SW_SYN_TIMEOUT_DEFAULT 63u /* seconds: Linux, 5 SYN-ACK retries */
#define SW_SYN_TIMEOUT_MIN 1u
#define SW_SYN_TIMEOUT_MAX 240u	   /* a gauge remembers SW_RING seconds */
#define SW_MSL_DEFAULT 30u	   /* seconds; TIME_WAIT lasts two (Linux: 60 s) */
#define SW_MSL_MIN 1u
#define SW_MSL_MAX 120u

#define SW_ACTIVE_OPEN_S 128u	/* a local SYN_SENT: Linux, 6 SYN retries = 127 s */
#define SW_PICKUP_S 30u		/* a flow picked up midstream that nobody confirms */
#define SW_LINGER_S 10u		/* both ends CLOSED: kept so that stray segments are known */
#define SW_QUIET_S 60u		/* waiting for a FIN or its ACK in silence: ambiguous from here on */
#define SW_RESTAMP_S 16u	/* how stale the last-seen second in a bucket may get */
#define SW_REVERT_LOCAL_MS 10u	/* a reset endpoint that talks later than this ignored the RST; */
#define SW_REVERT_REMOTE_MS 200u /* for a remote one, segments may have been in flight */

#endif
