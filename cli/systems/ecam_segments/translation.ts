/** What software told the ITS of a machine: the devices of its commands. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { GicV3Its } from "../../../machine/devices/gic_v3_its.ts";
import type { Machine } from "../../../machine/machine.ts";

/** GITS_CBASER: the physical address, and its number of 4 KiB pages less one; MAPD and its V bit (Arm IHI 0069, 5.3.11). */
const ADDRESS = 0xf_ffff_ffff_f000n, PAGES = 0xffn, MAPD = 0x08, VALID = 1 << 31, COMMAND_SIZE = 32;

/** The DeviceIDs that MAPD commands in the queue have mapped, in order of numbers; empty without an ITS. */
export function deviceIdsOf({ board }: Machine): number[] {
  const its = board.memory.ranges.map(({ device }) => device).find((device) => device instanceof GicV3Its);
  if (!(its instanceof GicV3Its)) return [];
  const { CBASER } = its.state, size = (Number(CBASER & PAGES) + 1) * 4096;
  const bytes = board.memory.readBytes(Number(CBASER & ADDRESS) as PhysicalAddress, size);
  const view = new DataView(bytes.buffer), ids = new Set<number>();
  for (let at = 0; at < size; at += COMMAND_SIZE) {
    const isMapping = view.getUint8(at) === MAPD && (view.getUint32(at + 20, true) & VALID) !== 0;
    if (isMapping) ids.add(view.getUint32(at + 4, true));
  }
  return [...ids].sort((a, b) => a - b);
}
