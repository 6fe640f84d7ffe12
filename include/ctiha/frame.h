/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heartbeat frame: its bytes on the wire and its meaning.
 *
 * Documentation/wire-format.rst describes every byte. The functions are pure:
 * no I/O, no locks, no allocation, any context.
 */
#ifndef CTIHA_FRAME_H
#define CTIHA_FRAME_H

#include <ctiha/base.h>
#include <linux/ctiha.h>

#define CTIHA_FRAME_VERSION	1
#define CTIHA_MAC_LEN		16	/* HMAC-SHA-256, leftmost 128 bits */
#define CTIHA_EPOCH_MAX		(U64_MAX >> 1)	/* leaves room to count on */

enum ctiha_frame_type {
	CTIHA_FRAME_HEARTBEAT,
	CTIHA_FRAME_GOODBYE,	/* clean leave: the vote does not expire */
	CTIHA_FRAME_GASP,	/* the sender dies: last words */
};

/* What follows the Ethernet header. All fields big-endian. */
struct ctiha_wire_frame {
	u8 version;
	u8 key_id;
	u8 type;		/* enum ctiha_frame_type */
	u8 session_state;	/* enum ctiha_session_state */
	u8 diag;		/* enum ctiha_diag */
	u8 multiplier;
	u8 link_kind;		/* enum ctiha_link_kind */
	u8 node;		/* sender: 0 or 1 */
	__be32 pair;
	__be32 interval_us;
	u8 role;		/* enum ctiha_role */
	u8 last_words;		/* enum ctiha_last_words: of a gasp */
	u8 reserved[2];		/* zero */
	__be32 report;		/* enum ctiha_report */
	__be64 my_discr;
	__be64 your_discr;
	__be64 seq;
	__be64 echo_seq;
	__be64 echo_hold_ns;
	__be64 epoch;
	__be64 vote_epoch;
	__be64 sync_pos;
	u8 mac[CTIHA_MAC_LEN];
} __packed;

#define CTIHA_FRAME_LEN		sizeof(struct ctiha_wire_frame)
#define CTIHA_FRAME_SEALED_LEN	offsetof(struct ctiha_wire_frame, mac)

/**
 * struct ctiha_frame - a heartbeat in host byte order
 * @type: enum ctiha_frame_type
 * @session_state: sender's session state, enum ctiha_session_state
 * @diag: why the sender's session last went down, enum ctiha_diag
 * @multiplier: intervals of silence after which the receiver gives up
 * @link_kind: enum ctiha_link_kind
 * @node: sender's id, 0 or 1
 * @pair: number of the pair
 * @interval_us: interval the sender wants to send at
 * @role: sender's role, enum ctiha_role
 * @last_words: enum ctiha_last_words, not NONE in a gasp and nowhere else
 * @report: enum ctiha_report bits
 * @my_discr: sender's session incarnation, never 0
 * @your_discr: receiver's incarnation as the sender knows it, 0 if unknown
 * @seq: sequence number within @my_discr, from 1
 * @echo_seq: highest @seq heard from the receiver, 0 if none
 * @echo_hold_ns: time between hearing @echo_seq and sending this frame
 * @epoch: highest epoch the sender knows; its own when @role is active
 * @vote_epoch: epoch the sender promises to support
 * @sync_pos: sender's position in the stream of call records
 */
struct ctiha_frame {
	u8 type;
	u8 session_state;
	u8 diag;
	u8 multiplier;
	u8 link_kind;
	u8 node;
	u32 pair;
	u32 interval_us;
	u8 role;
	u8 last_words;
	u32 report;
	u64 my_discr;
	u64 your_discr;
	u64 seq;
	u64 echo_seq;
	u64 echo_hold_ns;
	u64 epoch;
	u64 vote_epoch;
	u64 sync_pos;
};

/**
 * ctiha_frame_is_goodbye() - does this frame free its hearer for good?
 * @frame: a bound frame
 *
 * Only if its sender knew that it would be believed: it has to remember over
 * its next start that the hearer may serve alone.
 */
static inline bool ctiha_frame_is_goodbye(const struct ctiha_frame *frame)
{
	return frame->type == CTIHA_FRAME_GOODBYE &&
	       frame->session_state == CTIHA_SESSION_UP;
}

/**
 * ctiha_frame_farewell() - does this frame end its sender's session?
 * @frame: a bound frame
 *
 * Return: what the session's end is to be called; CTIHA_DIAG_NONE if it goes on.
 */
static inline enum ctiha_diag
ctiha_frame_farewell(const struct ctiha_frame *frame)
{
	if (frame->type == CTIHA_FRAME_GASP)
		return CTIHA_DIAG_PEER_DIED;
	return ctiha_frame_is_goodbye(frame) ? CTIHA_DIAG_PEER_LEFT :
					       CTIHA_DIAG_NONE;
}

/* Why a frame was refused; the order is that of the checks. */
enum ctiha_frame_error {
	CTIHA_FRAME_OK,
	CTIHA_FRAME_MALFORMED,
	CTIHA_FRAME_BAD_VERSION,
	CTIHA_FRAME_BAD_KEY,
	CTIHA_FRAME_FORGED,
};

struct ctiha_mac_key;	/* kernel/mac.c or userspace/common/mac.c */

/**
 * ctiha_mac() - HMAC-SHA-256-128 of a short message
 * @key: prepared key
 * @data: message
 * @len: its length in bytes
 * @mac: receives CTIHA_MAC_LEN bytes
 *
 * Context: any, hard interrupts included; does not sleep.
 */
void ctiha_mac(const struct ctiha_mac_key *key, const void *data, size_t len,
	       u8 mac[CTIHA_MAC_LEN]);

/**
 * ctiha_frame_seal() - write a frame in wire format, with its check code
 * @wire: receives CTIHA_FRAME_LEN bytes
 * @frame: what to say
 * @key_id: slot of @key, carried in the frame
 * @key: key of that slot
 */
void ctiha_frame_seal(struct ctiha_wire_frame *wire,
		      const struct ctiha_frame *frame, u8 key_id,
		      const struct ctiha_mac_key *key);

/**
 * ctiha_frame_peek() - all checks but the check code
 * @data: bytes after the Ethernet header, any alignment, hostile
 * @len: how many; Ethernet padding behind the frame is ignored
 * @keys: the CTIHA_KEY_SLOTS keys, NULL where a slot is empty
 * @claim: filled in on success only: what the frame says, true or not, in range or
 *         not; good for deciding whether its check code is worth computing
 *
 * Return: CTIHA_FRAME_OK or the reason for refusing it.
 */
enum ctiha_frame_error
ctiha_frame_peek(const void *data, size_t len,
		 const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS],
		 struct ctiha_frame *claim);

/**
 * ctiha_frame_open() - check a received frame and read it
 * @data: bytes after the Ethernet header, any alignment, hostile
 * @len: how many; Ethernet padding behind the frame is ignored
 * @keys: the CTIHA_KEY_SLOTS keys, NULL where a slot is empty
 * @frame: filled in on success only
 *
 * Checks cheap things first and the check code (in constant time) before any
 * field but version and key id is believed.
 *
 * Return: CTIHA_FRAME_OK or the reason for refusing it.
 */
enum ctiha_frame_error
ctiha_frame_open(const void *data, size_t len,
		 const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS],
		 struct ctiha_frame *frame);

#endif /* CTIHA_FRAME_H */
