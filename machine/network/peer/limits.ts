/** The peer's constants: times in virtual nanoseconds and bounds, each with its reason. */

const MICROSECOND = 1_000;
const MILLISECOND = 1_000_000;
/** A second of virtual time. */
export const SECOND = 1_000_000_000;

/** From a guest's frame to the first answer: a switch and a host's interrupt; short, since boot loaders poll. */
export const LATENCY: number = 20 * MICROSECOND;

/** A byte on a wire of 1 Gbit/s: a window's worth of frames arrives no faster than a driver can take it. */
export const NANOSECONDS_PER_BYTE = 8;

/** What a frame occupies beyond its bytes: preamble 8, check sequence 4, gap 12 (IEEE 802.3 §4.4.2). */
export const FRAME_OVERHEAD = 24;

/** The shortest frame on the wire, check sequence left out; the guest gets what is shorter unpadded, as from QEMU. */
export const FRAME_SIZE_MIN = 60;

/** Frames on their way to the guest; one more is lost, as in a switch whose buffer is full. */
export const PENDING_MAX = 1024;

/** Addresses that DHCP gives, as many as QEMU's. */
export const LEASES_MAX = 16;

/** How long an address is lent: a day, as QEMU says. */
export const LEASE_SECONDS = 86_400;

/** How long an offer is kept for a client that has not asked for it yet. */
export const OFFER_TIME: number = 60 * SECOND;

/** Files being read over TFTP at once. */
export const TRANSFERS_MAX = 16;

/** The largest TFTP block: with its headers it fills a frame, so that none is cut into fragments. */
export const TFTP_BLOCK_MAX = 1468;

/** TFTP blocks sent before an acknowledgement, at most: half the receive ring of U-Boot's driver. */
export const TFTP_WINDOW_MAX = 16;

/** TFTP waits this long for an acknowledgement when the client does not say. */
export const TFTP_TIMEOUT: number = SECOND;

/** After so many retransmissions without an answer the client is gone. */
export const TFTP_RETRIES_MAX = 5;

/** TCP connections at once. */
export const CONNECTIONS_MAX = 16;

/** The largest segment that fills a frame. */
export const TCP_SEGMENT_MAX = 1460;

/** The segment size of who does not name one (RFC 9293 §3.7.1). */
export const TCP_SEGMENT_DEFAULT = 536;

/** Smaller ones are not believed: every byte would be a frame. */
export const TCP_SEGMENT_MIN = 64;

/** TCP waits this long for an acknowledgement: longer than any guest delays one (lwIP 250 ms, Linux 200 ms). */
export const TCP_RETRANSMISSION_TIME: number = 500 * MILLISECOND;

/** After so many retransmissions without an answer the guest is gone. */
export const TCP_RETRIES_MAX = 8;

/** A connection on which nothing is under way is kept for this long. */
export const TCP_IDLE_TIME: number = 120 * SECOND;

/** Twice the longest life of a segment on a cable that loses them but never holds them back. */
export const TCP_TIME_WAIT: number = SECOND;

/** Bytes of an HTTP request up to its empty line; also the TCP receive window. */
export const HTTP_REQUEST_MAX = 8192;
