/** The distributor of a GICv3: shared interrupts, their routes, and what all CPUs have in common (Arm IHI 0069, 12.9). */
import { ID_BITS } from "./gic_v3_lpi.ts";
import { at, CPUS_MAX, PRIVATE_COUNT, WORD_COUNT } from "./gic_interrupts.ts";
import { frameMap, gather, GicV3Frame, identificationRow, IIDR, interruptRows } from "./gic_v3_frame.ts";
import { GICD_CTLR } from "./gic_v3_interrupts.ts";
import type { RegisterAccess, RegisterMap } from "./register_map.ts";

/** GICD_TYPER: no 1 of N interrupts, affinity 3 is there, and as many lines as QEMU 7.2 announces, one word too few. */
const TYPER = 1 << 25 | 1 << 24 | (ID_BITS - 1) << 19 | (WORD_COUNT - 2);
const TYPER_LPIS = 1 << 17, TYPER_SECURITY = 1 << 10;

/** What Non-secure software sees of GICD_CTLR: EnableGrp1A, and ARE_NS where Secure software has ARE_S. */
const CONTROL_NON_SECURE = GICD_CTLR.EnableGrp1NS | GICD_CTLR.ARE_S;
const CONTROL_ENABLES = GICD_CTLR.EnableGrp0 | GICD_CTLR.EnableGrp1NS;

/** A field of GICD_NSACR that lets Non-secure software route an interrupt. */
const ROUTES_GRANTED = 3;

/** GICD: words 1 to 8 of interrupts. Affinity routing is always on, so what serves without it reads zero. */
export class GicV3Distributor extends GicV3Frame {
  // deno-fmt-ignore
  /** Registers, at their offsets from GICD. */
  static readonly map: RegisterMap<GicV3Distributor, never> = frameMap<GicV3Distributor>([
    // offset name           access bits reset    behaviour
    [0x0000, "GICD_CTLR",    "RW", 32, 0x50,      { read: (it, access) => it.#readControl(access), write: (it, value, access) => it.#writeControl(value, access) }],
    [0x0004, "GICD_TYPER",   "RO", 32, TYPER,     { read: (it) => it.#type() }],
    [0x0008, "GICD_IIDR",    "RO", 32, IIDR,      { read: () => IIDR }],
    ...interruptRows("GICD", 0, 1, WORD_COUNT - 1),
    [0x6100, "GICD_IROUTER", "RW", 32, 0,         { read: (it, access) => it.#readRoute(access), write: (it, value, access) => it.#writeRoute(value, access) }, (WORD_COUNT - 1) * 64],
    identificationRow("GICD", 0x92),
  ]);

  /** Where word `index` of shared interrupts is stored. */
  override wordOf(index: number): number {
    return CPUS_MAX + index;
  }

  /** Tells that an interrupt was made pending by a write. */
  override raised(index: number, bit: number, writer: number): void {
    this.options.raised(0, PRIVATE_COUNT + index * 32 + bit, `cpu${writer}`);
  }

  /** Interrupts of a word whose field of GICD_NSACR is at least 1 or at least 2. */
  protected override granted(word: number, grant: number): number {
    if (grant > 2) return 0;
    const { nonSecureAccess } = this.interrupts.state;
    const [low, high] = [at(nonSecureAccess, word * 2), at(nonSecureAccess, word * 2 + 1)];
    const isGranted = (fields: number) => gather(grant === 1 ? fields | fields >>> 1 : fields >>> 1);
    return isGranted(low) | isGranted(high) << 16;
  }

  #readControl(access: RegisterAccess): number {
    const { control } = this.interrupts.state;
    return this.isNonSecure(access) ? control & CONTROL_NON_SECURE : control;
  }

  /** DS stays once it is set, and there is no Secure Group 1 then. */
  #writeControl(value: number, access: RegisterAccess): void {
    const { state, isSingleState } = this.interrupts;
    const writable = isSingleState
      ? CONTROL_ENABLES
      : this.isNonSecure(access)
      ? GICD_CTLR.EnableGrp1NS
      : CONTROL_ENABLES | GICD_CTLR.EnableGrp1S | GICD_CTLR.DS;
    state.control = (state.control & ~writable) | (value & writable);
    if (state.control & GICD_CTLR.DS) state.control &= ~(GICD_CTLR.EnableGrp1S | GICD_CTLR.ARE_NS);
  }

  #type(): number {
    return TYPER | (this.options.hasLpis ? TYPER_LPIS : 0) |
      (this.interrupts.isSingleState ? 0 : TYPER_SECURITY);
  }

  /** Whether an access may see a route. */
  #seesRoute(interrupt: number, access: RegisterAccess): boolean {
    return !this.isNonSecure(access) || this.interrupts.test(this.interrupts.state.group, 0, interrupt) ||
      this.interrupts.nonSecureAccess(0, interrupt) === ROUTES_GRANTED;
  }

  #readRoute(access: RegisterAccess): number {
    const interrupt = PRIVATE_COUNT + (access.index >>> 1);
    if (!this.#seesRoute(interrupt, access)) return 0;
    const { routes, routesAff3 } = this.interrupts.state;
    return access.index & 1 ? at(routesAff3, interrupt) : at(routes, interrupt);
  }

  #writeRoute(value: number, access: RegisterAccess): void {
    const interrupt = PRIVATE_COUNT + (access.index >>> 1);
    if (!this.#seesRoute(interrupt, access)) return;
    const { routes, routesAff3 } = this.interrupts.state;
    if (access.index & 1) routesAff3[interrupt] = value;
    else routes[interrupt] = value & 0xff_ffff;
  }
}
