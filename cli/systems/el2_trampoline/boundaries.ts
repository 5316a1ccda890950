/**
 * That VBAR_EL2 and TTBR0_EL2 belong together wherever an exception comes to EL2 or EL2 returns: a proof over a whole
 * journal, since every boundary of a replay is looked at. Between them EL2 runs masked and takes nothing.
 */
import type { TrampolineImage } from "../../../firmware/el2_trampoline/image.ts";
import { PLACES } from "../../../firmware/el2_trampoline/layout.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { hex } from "../../../machine/address.ts";
import type { AnyFields, EventKind, EventObserver } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";

/** TTBR0_EL2.BADDR, without ASID and CnP. */
const TABLE = 0xffff_ffff_fffen;
const VM = 1n, VECTORS = ~0x7ffn;
const MOST = 16;

/** Follows the boundaries of EL2 in a machine. */
export class Boundaries implements EventObserver {
  readonly classes = ["trap"] as const;
  /** What does not belong together. */
  readonly mismatches: string[] = [];
  /** Boundaries looked at, by the component whose they are. */
  readonly counts = { trampoline: 0, vmm: 0 };
  readonly #vmm: bigint;
  readonly #trampoline: bigint;

  /** Follows `machine` from where it is. */
  constructor(private readonly machine: Machine, { program }: TrampolineImage) {
    this.#vmm = program.symbols.get("vmm_vectors") as bigint;
    this.#trampoline = program.symbols.get("trampoline_vectors") as bigint;
    machine.board.events.add(this);
  }

  observe(): void {}

  observeParts(kind: EventKind, instant: number, _cpu: number, _index: number, fields: AnyFields): void {
    const isTaken = kind === "exceptionTaken" && fields["to"] === 2;
    if (!isTaken && !(kind === "exceptionReturned" && fields["from"] === 2)) return;
    const { system } = this.machine.currentCpu.registers;
    const vectors = system[INDEX.VBAR_EL2] as bigint, table = (system[INDEX.TTBR0_EL2] as bigint) & TABLE;
    const isGuests = ((system[INDEX.HCR_EL2] as bigint) & VM) !== 0n;
    const component = vectors === this.#vmm ? "vmm" : vectors === this.#trampoline ? "trampoline" : undefined;
    const expected = component === "vmm" ? PLACES.VMM_MAP : PLACES.SMALL_MAP;
    const isRight = component !== undefined && table === BigInt(expected) &&
      isGuests === (component === "vmm") &&
      (!isTaken || ((fields["vector"] as bigint) & VECTORS) === vectors);
    if (component !== undefined) this.counts[component]++;
    if (isRight || this.mismatches.length >= MOST) return;
    this.mismatches.push(
      `instant ${instant}, ${kind}: VBAR_EL2 ${hex(vectors)}, TTBR0_EL2 ${hex(table)}, HCR_EL2.VM ${
        isGuests ? 1 : 0
      }`,
    );
  }
}
