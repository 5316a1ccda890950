/** Instructions that write to their own page: the monitor stores for them, so that no page is written and executed. */
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import { translateGuest } from "../../guest_memory.ts";
import { decodeMmio, performMmio } from "../../mmio.ts";
import { writePhysical } from "../../own_memory.ts";
import type { Vcpu } from "../../vcpu.ts";

/** SCTLR_EL1.EE and E0E: data is big-endian. */
const BIG_ENDIAN = 1n << 25n | 1n << 24n;

/** The instruction that writes is in the page that it writes to. */
export function isOwnPage(vcpu: Vcpu, page: number): boolean {
  const place = translateGuest(vcpu.cpu, "s1e1", vcpu.returnAddress);
  return !place.faulted && place.address - place.address % PAGE_SIZE === page;
}

/**
 * Stores what the trapped instruction wanted to store, in the page's frame, and goes on behind it. False, with nothing
 * done, for what moves more than one general register, leaves the page, or has its bytes in another order.
 */
export function storeForGuest(vcpu: Vcpu, ipa: number, frame: number): boolean {
  const { cpu } = vcpu, { memory, events } = cpu.surroundings;
  const access = decodeMmio(cpu), within = ipa % PAGE_SIZE;
  if (access?.write !== true || within + access.size > PAGE_SIZE) return false;
  if ((vcpu.get("SCTLR_EL1") & BIG_ENDIAN) !== 0n) return false;
  const bus = {
    read: () => undefined,
    write: (_cpu: typeof cpu, _address: number, size: number, value: bigint) => {
      writePhysical(memory, cpu, frame + within, size, value);
      const physical = BigInt(frame + within);
      events.emit("guestStoreDone", cpu.index, { ipa: BigInt(ipa), physical, size, value });
      return true;
    },
  };
  if (!performMmio(cpu, bus, access)) return false;
  vcpu.skip();
  return true;
}
