/** Which frames a virtio network card takes, and the control commands that say so (virtio 1.2, section 5.1.6.5). */
import { type FieldKind, flag, listOf, record, type ValueOf } from "../../layout.ts";
import { octets } from "../fixed_arrays.ts";

/** Bytes of an Ethernet address. */
export const MAC_SIZE = 6;

/** Most addresses of each kind; a longer table lets every address of the kind pass, as in QEMU. */
const TABLE_MAX = 64;
const CLASS = { RX: 0, MAC: 1 } as const;
const MAC_COMMAND = { TABLE_SET: 0, ADDR_SET: 1 } as const;
/** Commands of class RX by number: each sets a flag. */
const RX_FLAGS = [
  "promiscuous",
  "allMulticast",
  "allUnicast",
  "noMulticast",
  "noUnicast",
  "noBroadcast",
] as const;

const mac = octets(MAC_SIZE);
const fields = {
  mac,
  promiscuous: flag,
  allMulticast: flag,
  allUnicast: flag,
  noMulticast: flag,
  noUnicast: flag,
  noBroadcast: flag,
  unicastOverflow: flag,
  multicastOverflow: flag,
  unicast: listOf(mac, TABLE_MAX),
  multicast: listOf(mac, TABLE_MAX),
};

/** Section fields of a filter. */
export const filterLayout: FieldKind<FilterState> = record(fields);

/** What a filter knows. */
export type FilterState = ValueOf<typeof fields>;

/** The filter at reset takes everything. */
export function filterAtReset(address: Uint8Array): FilterState {
  return {
    mac: address,
    promiscuous: true,
    allMulticast: false,
    allUnicast: false,
    noMulticast: false,
    noUnicast: false,
    noBroadcast: false,
    unicastOverflow: false,
    multicastOverflow: false,
    unicast: [],
    multicast: [],
  };
}

const startsWith = (frame: Uint8Array, address: Uint8Array): boolean =>
  address.every((byte, index) => frame[index] === byte);

/** Whether the card takes a frame. */
export function takesFrame(filter: FilterState, frame: Uint8Array): boolean {
  if (filter.promiscuous) return true;
  const isListed = (addresses: readonly Uint8Array[]) =>
    addresses.some((address) => startsWith(frame, address));
  if (((frame[0] ?? 0) & 1) === 0) {
    if (filter.noUnicast) return false;
    return filter.allUnicast || filter.unicastOverflow || isListed([filter.mac, ...filter.unicast]);
  }
  if (frame.subarray(0, MAC_SIZE).every((byte) => byte === 0xff)) return !filter.noBroadcast;
  if (filter.noMulticast) return false;
  return filter.allMulticast || filter.multicastOverflow || isListed(filter.multicast);
}

/** The filter after a control command, its class and number first; undefined when the command is refused. */
export function afterCommand(filter: FilterState, command: Uint8Array): FilterState | undefined {
  const [group, number] = command;
  const data = command.subarray(2);
  if (group === CLASS.RX) {
    const name = RX_FLAGS[number as number];
    return name === undefined || data.length !== 1 ? undefined : { ...filter, [name]: data[0] !== 0 };
  }
  if (group !== CLASS.MAC) return undefined;
  if (number === MAC_COMMAND.ADDR_SET) {
    return data.length === MAC_SIZE ? { ...filter, mac: data.slice() } : undefined;
  }
  return number === MAC_COMMAND.TABLE_SET ? withTables(filter, data) : undefined;
}

/** Two tables, unicast and multicast: each its 32-bit count, then addresses. */
function withTables(filter: FilterState, data: Uint8Array): FilterState | undefined {
  const unicast = tableAt(data, 0);
  const multicast = unicast && tableAt(data, unicast.end);
  if (unicast === undefined || multicast === undefined || multicast.end !== data.length) return undefined;
  return {
    ...filter,
    unicast: unicast.addresses ?? [],
    unicastOverflow: unicast.addresses === undefined,
    multicast: multicast.addresses ?? [],
    multicastOverflow: multicast.addresses === undefined,
  };
}

function tableAt(
  data: Uint8Array,
  at: number,
): { addresses: Uint8Array[] | undefined; end: number } | undefined {
  if (at + 4 > data.length) return undefined;
  const count = new DataView(data.buffer, data.byteOffset).getUint32(at, true);
  const start = at + 4;
  const end = start + count * MAC_SIZE;
  if (end > data.length) return undefined;
  if (count > TABLE_MAX) return { addresses: undefined, end };
  const addresses = Array.from(
    { length: count },
    (_, index) => data.slice(start + index * MAC_SIZE, start + (index + 1) * MAC_SIZE),
  );
  return { addresses, end };
}
