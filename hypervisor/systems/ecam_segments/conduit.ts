/** Configuration space by calls: the PCI Configuration Space Access Firmware Interface (Arm DEN 0115, version 1.0). */
import type { Segment } from "./segments.ts";
import type { ExitHandler } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";

/** Function identifiers. */
// deno-fmt-ignore
export const PCI_CALL = {
  VERSION: 0x8400_0130, FEATURES: 0x8400_0131, READ: 0x8400_0132, WRITE: 0x8400_0133, GET_SEG_INFO: 0x8400_0134,
} as const;
const VERSION_1_0 = 0x1_0000;
const SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETER = -2;

/** What the calls are about. */
export interface CalledSegments {
  /** The map. */
  segments(): readonly Segment[];
  /** An operating system's cycle at an address of a segment; what it read. */
  cycle(vcpu: Vcpu, address: number, size: number, value?: number): number;
}

/** Return values in X0 and X1, as 32-bit numbers. */
type Answer = readonly [status: number, value?: number];

/** Address in ECAM of what X1 (segment, bus, device, function), X2 (offset) and X3 (size) say; undefined for what is not. */
function addressOf(called: CalledSegments, bdf: number, offset: number, size: number): number | undefined {
  const segments = called.segments();
  const segment = segments.find((one) => one.segment === bdf >>> 16 && one.shown === (bdf >>> 8 & 0xff));
  if (segment === undefined) return undefined;
  if (![1, 2, 4].includes(size) || offset % size !== 0 || offset > 0xfff) return undefined;
  return segment.base + (bdf & 0xff) * 0x1000 + offset;
}

/** Handles SMC #0 and HVC #0; false for other calls. */
export function answerPciCall(called: CalledSegments): ExitHandler {
  const argument = (vcpu: Vcpu, n: number): number => Number(vcpu.x(n) & 0xffff_ffffn);
  const calls: Readonly<Record<number, (vcpu: Vcpu) => Answer>> = {
    [PCI_CALL.VERSION]: () => [VERSION_1_0],
    [PCI_CALL.FEATURES]: (vcpu) => [argument(vcpu, 1) in calls ? SUCCESS : NOT_SUPPORTED],
    [PCI_CALL.READ]: (vcpu) => {
      const size = argument(vcpu, 3), address = addressOf(called, argument(vcpu, 1), argument(vcpu, 2), size);
      return address === undefined ? [INVALID_PARAMETER] : [SUCCESS, called.cycle(vcpu, address, size)];
    },
    [PCI_CALL.WRITE]: (vcpu) => {
      const size = argument(vcpu, 3), address = addressOf(called, argument(vcpu, 1), argument(vcpu, 2), size);
      if (address === undefined) return [INVALID_PARAMETER];
      called.cycle(vcpu, address, size, Number(BigInt.asUintN(size * 8, vcpu.x(4))));
      return [SUCCESS];
    },
    // Start and end bus in bits 7:0 and 15:8 of X1; X2 is the next segment, 0 behind the last.
    [PCI_CALL.GET_SEG_INFO]: (vcpu) => {
      const segments = called.segments(), number = argument(vcpu, 1);
      const next = segments.find(({ segment }) => segment > number)?.segment ?? 0;
      const buses = segments.filter(({ segment }) => segment === number).map(({ shown }) => shown);
      const [start = -1] = buses, end = buses.at(-1) ?? 0;
      if (start < 0) return [INVALID_PARAMETER];
      vcpu.setX(2, BigInt(next));
      return [SUCCESS, start | end << 8];
    },
  };
  return (vcpu, { iss }) => {
    const call = (iss & 0xffff) === 0 ? calls[argument(vcpu, 0)] : undefined;
    if (call === undefined) return false;
    const [status, value] = call(vcpu);
    vcpu.setX(0, BigInt(status));
    if (value !== undefined) vcpu.setX(1, BigInt(value));
    return true;
  };
}
