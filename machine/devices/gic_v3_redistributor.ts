/** A redistributor of a GICv3: a CPU's private interrupts and LPIs, and its sleep (Arm IHI 0069, sections 12.10 and 12.11). */
import { flag, type ValueOf } from "../layout.ts";
import {
  frameMap,
  GicV3Frame,
  type GicV3FrameOptions,
  identificationRow,
  IIDR,
  interruptRows,
} from "./gic_v3_frame.ts";
import { GicV3LpiTables, LPI_FIELDS, type LpiTableOptions } from "./gic_v3_lpi_tables.ts";
import type { RegisterAccess, RegisterMap } from "./register_map.ts";

/** How a redistributor is built. */
export interface GicV3RedistributorOptions extends GicV3FrameOptions, Pick<LpiTableOptions, "dma"> {
  /** Number of its CPU, which is affinity 0. */
  readonly cpu: number;
  /** It is the last one. */
  readonly isLast: boolean;
}

/** Bytes of one redistributor: the frame of the redistributor and that of SGIs and PPIs. */
export const REDISTRIBUTOR_SIZE = 0x2_0000;

/** Section fields of a redistributor. */
export const REDISTRIBUTOR_FIELDS = { asleep: flag, ...LPI_FIELDS } as const;

/** State of a redistributor. */
export type RedistributorState = ValueOf<typeof REDISTRIBUTOR_FIELDS>;

/** GICR_CTLR: EnableLPIs, and CES, which says that it can be cleared. */
const CTLR_ENABLE_LPIS = 1, CTLR_CES = 2;
/** GICR_TYPER: physical LPIs; those with the same affinity 3 share a configuration table; the last one. */
const TYPER_PLPIS = 1, TYPER_LAST = 1 << 4, TYPER_COMMON_AFFINITY = 1 << 24;
/** GICR_WAKER: ProcessorSleep, and ChildrenAsleep that follows at once. */
const WAKER_SLEEP = 2, WAKER_ASLEEP = 6;
const SGI_FRAME = 0x1_0000;

/** GICR of one CPU. */
export class GicV3Redistributor extends GicV3Frame {
  // deno-fmt-ignore
  /** Registers, at their offsets from RD_base. */
  static readonly map: RegisterMap<GicV3Redistributor, never> = frameMap<GicV3Redistributor>([
    // offset name            access bits reset    behaviour
    [0x0000, "GICR_CTLR",      "RW", 32, CTLR_CES, { read: (it) => it.#readControl(), write: (it, value) => it.#writeControl(value) }],
    [0x0004, "GICR_IIDR",      "RO", 32, IIDR,     { read: () => IIDR }],
    [0x0008, "GICR_TYPER",     "RO", 32, 0,        { read: (it, { index }) => index === 0 ? it.#type() : it.#own.cpu }, 2],
    [0x0014, "GICR_WAKER",     "RW", 32, 6,        { read: (it) => it.#isAsleep ? WAKER_ASLEEP : 0, write: (it, value) => (it.#isAsleep = (value & WAKER_SLEEP) !== 0) }],
    [0x0070, "GICR_PROPBASER", "RW", 32, 0,        { read: (it, access) => half(it.lpis.state.configurationBase, access), write: (it, value, { index }) => it.lpis.writeConfigurationBase(value, index === 1) }, 2],
    [0x0078, "GICR_PENDBASER", "RW", 32, 0,        { read: (it, access) => half(it.lpis.state.pendingBase, access), write: (it, value, { index }) => it.lpis.writePendingBase(value, index === 1) }, 2],
    identificationRow("GICR", 0x93),
    ...interruptRows("GICR", SGI_FRAME, 0, 1),
  ]);

  /** The LPIs. */
  readonly lpis: GicV3LpiTables;
  protected override readonly hasSgis = true;
  readonly #own: GicV3RedistributorOptions;
  #isAsleep = true;

  /** Starts in the power-on state. */
  constructor(options: GicV3RedistributorOptions) {
    super(options);
    this.#own = options;
    this.lpis = new GicV3LpiTables({ dma: options.dma, changed: options.changed });
  }

  /** Everything that is saved beside the interrupts. */
  get state(): RedistributorState {
    return { asleep: this.#isAsleep, ...this.lpis.state };
  }

  set state({ asleep, ...lpis }: RedistributorState) {
    this.#isAsleep = asleep;
    this.lpis.state = lpis;
  }

  /** Power-on state: asleep, without LPIs. */
  reset(): void {
    this.#isAsleep = true;
    this.lpis.reset();
  }

  /** The CPU's word, the only one. */
  override wordOf(): number {
    return this.#own.cpu;
  }

  /** Tells that an interrupt was made pending by a write. */
  override raised(_index: number, bit: number, writer: number): void {
    this.#own.raised(this.#own.cpu, bit, `cpu${writer}`);
  }

  #readControl(): number {
    return (this.lpis.state.enabled ? CTLR_ENABLE_LPIS : 0) | (this.#own.hasLpis ? CTLR_CES : 0);
  }

  #writeControl(value: number): void {
    if (this.#own.hasLpis) this.lpis.enable((value & CTLR_ENABLE_LPIS) !== 0);
  }

  #type(): number {
    const { cpu, isLast, hasLpis } = this.#own;
    return TYPER_COMMON_AFFINITY | cpu << 8 | (isLast ? TYPER_LAST : 0) | (hasLpis ? TYPER_PLPIS : 0);
  }
}

function half(register: bigint, { index }: RegisterAccess): number {
  return Number(BigInt.asUintN(32, index === 0 ? register : register >> 32n));
}
