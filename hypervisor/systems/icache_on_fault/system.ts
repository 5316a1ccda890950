/**
 * icache-on-fault (3): cache maintenance of a guest's pages when stage 2 faults on them (US20190227934A1).
 *
 * Nothing is mapped at stage 2 when the guest starts. The first access to a page is an Instruction Abort (EC 0x20) or a
 * Data Abort (EC 0x24) from a lower level with xFSC 0b0001LL; HPFAR_EL2.FIPA has the page, FAR_EL2 the offset. Before
 * the page becomes executable, Mon2 cleans it by DC CVAU, a line of CTR_EL0.DminLine at a time, and after a DSB ISH
 * invalidates it by IC IVAU, a line of IminLine at a time (IC IALLUIS where instruction caches are not physically
 * tagged); CTR_EL0.IDC and DIC save either half. After another DSB ISH it writes the descriptor with XN clear, and
 * returns. A fault on a stage 1 walk (ESR_EL2.S1PTW) maps the table's page without execution, with maintenance of data
 * alone; one in a device's range maps without execution and without maintenance; any other is an external abort.
 *
 * `policy=lazy`: what is written is never executed. A read or write maps with XN set, and needs no maintenance while
 * the guest's caches are on; a fetch upgrades after maintenance and takes the permission to write away; a write then
 * takes the permission to execute. An instruction that writes to its own page could have neither alone: the monitor
 * stores for it; only where that takes more than one general register the page gets both.
 *
 * The pager takes a random executable page away every N steps, by EL2's own timer, and puts it into another frame: a
 * frame's old instructions would be executed there if it were not for the maintenance.
 */
import { RAM_BASE } from "../../../machine/board.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import { COUNTER_FREQUENCY } from "../../../machine/devices/generic_timer.ts";
import { listOf, u32 } from "../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import { HYPERVISOR_TIMER } from "../../hypervisor_timer.ts";
import type { Exit } from "../../exit.ts";
import { faultingAddress, isTranslationFault } from "../../mmio.ts";
import { MEMORY_RW, MEMORY_RWX, MEMORY_RX, type Stage2Attributes } from "../../stage2_attributes.ts";
import { Stage2Pager } from "../../stage2_pager.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { isOwnPage, storeForGuest } from "./own_page.ts";
import { type IcacheOnFaultOptions, icacheOnFaultOptions } from "./options.ts";
import { PageMaintenance } from "./page_maintenance.ts";
import { regionOf } from "./regions.ts";

const SLUG = "icache-on-fault";
/** IPA space that is given back to the guest page by page. */
const ALL = 2 ** 40;
/** ISS of aborts: S1PTW, WnR of data aborts. */
const S1PTW = 1 << 7, WNR = 1 << 6;
/** SCTLR_EL1.C and M: the guest's data accesses are cacheable. */
const CACHES_ON = 1n << 2n | 1n;

const layout = sectionLayout("icache on fault", 1, { random: u32, free: listOf(u32, 1024) });

const NANOSECONDS = 1e9;

type Access = "read" | "write" | "fetch";

/** The system in one monitor. */
export class IcacheOnFault implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    instructionAbortLower: (vcpu, exit) => this.#faulted(vcpu, exit, "fetch"),
    dataAbortLower: (vcpu, exit) => this.#faulted(vcpu, exit, (exit.iss & WNR) === 0 ? "read" : "write"),
  };
  readonly #pager: Stage2Pager;
  readonly #maintenance: PageMaintenance;
  /** Counts of CNTPCT_EL0 between two pages that the pager takes; 0n for no pager. */
  readonly #period: bigint;
  #random = 1;

  /** `reset` must be called before it is used. */
  constructor(private readonly options: IcacheOnFaultOptions, private readonly monitor: El2Monitor) {
    const { space, site, timer } = monitor;
    this.#pager = new Stage2Pager(site.memory, space.stage2, space.pool, options.spare);
    this.#maintenance = new PageMaintenance(site.events, options);
    const nanoseconds = options.every * site.clock.nanosecondsPerStep;
    this.#period = BigInt(Math.ceil(nanoseconds * COUNTER_FREQUENCY / NANOSECONDS));
    if (this.#period > 0n) timer.use(SLUG);
  }

  reset(): void {
    this.monitor.space.stage2.unmap(undefined, 0, ALL);
    this.#pager.reset();
    this.#random = this.options.seed;
  }

  started(vcpu: Vcpu): void {
    if (vcpu.index === 0 && this.#period > 0n) this.#waitForNext(vcpu);
  }

  interrupt(vcpu: Vcpu, interrupt: number): boolean {
    if (interrupt !== HYPERVISOR_TIMER) return false;
    this.#waitForNext(vcpu);
    this.#takePage(vcpu);
    return true;
  }

  /** The pager runs on CPU 0, by EL2's timer. */
  #waitForNext(vcpu: Vcpu): void {
    this.monitor.timer.set(vcpu, SLUG, vcpu.get("CNTPCT_EL0") + this.#period);
  }

  /** A number from 0 to `count` − 1 (xorshift, 32 bits). */
  readonly #choose = (count: number): number => {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x >>> 0;
    return Math.floor(this.#random / 2 ** 32 * count);
  };

  /** Takes an executable page of the guest's RAM, the first at or after a random address, around. */
  #takePage(vcpu: Vcpu): void {
    const { stage2, ram: { base, size } } = this.monitor.space;
    const from = base + this.#choose(size / PAGE_SIZE) * PAGE_SIZE,
      isWanted = ({ execute }: Stage2Attributes) => execute;
    const page = stage2.findPage(from, base + size, isWanted) ?? stage2.findPage(base, from, isWanted);
    if (page === undefined) return;
    const { action } = this.options;
    const isEvicted = action === "evict" || (action === "both" && this.#choose(2) === 0);
    const to = isEvicted
      ? this.#pager.evict(vcpu.cpu, page, this.#choose)
      : this.#pager.move(vcpu.cpu, page, this.#choose);
    this.monitor.site.events.emit("stage2Unmapped", vcpu.index, {
      ipa: BigInt(page.base),
      reason: isEvicted ? "evicted" : "moved",
      from: BigInt(page.physical),
      to: BigInt(to),
    });
  }

  /** A stage 2 abort: true when the guest can go on. */
  #faulted(vcpu: Vcpu, exit: Exit, wanted: Access): boolean {
    const isMissing = isTranslationFault(BigInt(exit.iss)), ipa = this.#addressOf(vcpu, exit);
    if (isMissing === undefined) return false;
    // Stage 1 has changed on another CPU since: the access is made anew.
    if (ipa === undefined) return true;
    const { space, site } = this.monitor;
    if (space.bus.find(ipa) !== undefined) return false;
    const onWalk = (exit.iss & S1PTW) !== 0, access = onWalk ? "read" : wanted;
    const reason = isMissing ? "translation" : "permission";
    // FAR_EL2 has the address of the access, not that of the descriptor: on a walk the page is all that is known.
    const told = BigInt(onWalk ? ipa - ipa % PAGE_SIZE : ipa);
    site.events.emit("stage2Faulted", vcpu.index, { ipa: told, access, reason, onWalk });
    const region = regionOf(site.board.rows, ipa), page = ipa - ipa % PAGE_SIZE;
    if (region === undefined || ipa >= this.monitor.site.reserve.base && region.name === "ram") return false;
    if (region.kind !== "flash" && region.kind !== "memory") return this.#mapDevice(vcpu, page, access);
    const frame = isMissing ? this.#refill(vcpu, page) : space.stage2.lookup(page)?.physical ?? page;
    const writesItself = access === "write" && this.options.policy === "lazy" && isOwnPage(vcpu, page);
    if (writesItself && storeForGuest(vcpu, ipa, frame)) return true;
    this.#mapMemory(vcpu, page, frame, this.#attributesFor(access, onWalk, writesItself), onWalk);
    return true;
  }

  #addressOf(vcpu: Vcpu, { ipa, iss }: Exit): number | undefined {
    return isTranslationFault(BigInt(iss)) === false ? faultingAddress(vcpu.cpu) : ipa;
  }

  #refill(vcpu: Vcpu, page: number): number {
    return page < RAM_BASE ? page : this.#pager.refill(vcpu.cpu, page, this.#choose);
  }

  /** Registers are never executed, and caches hold nothing of them. */
  #mapDevice(vcpu: Vcpu, page: number, access: Access): boolean {
    if (access === "fetch") return false;
    this.#map(vcpu, page, page, MEMORY_RW);
    return true;
  }

  #mapMemory(vcpu: Vcpu, page: number, frame: number, attributes: Stage2Attributes, onWalk: boolean): void {
    const cached = (vcpu.get("SCTLR_EL1") & CACHES_ON) === CACHES_ON;
    if (attributes.execute) this.#maintenance.forFetches(vcpu.cpu, frame, cached);
    // Data alone: accesses that are cacheable as the monitor's own are coherent with them.
    else if (onWalk || !cached) this.#maintenance.forData(vcpu.cpu, frame, cached);
    this.#map(vcpu, page, frame, attributes);
  }

  #attributesFor(access: Access, onWalk: boolean, writesItself: boolean): Stage2Attributes {
    if (onWalk) return MEMORY_RW;
    if (this.options.policy === "whole") return MEMORY_RWX;
    if (access === "fetch") return MEMORY_RX;
    return writesItself ? MEMORY_RWX : MEMORY_RW;
  }

  #map(vcpu: Vcpu, page: number, frame: number, attributes: Stage2Attributes): void {
    const { stage2 } = this.monitor.space, { read, write, execute } = attributes;
    const known = stage2.lookup(page);
    if (known?.physical === frame) stage2.protect(vcpu.cpu, page, PAGE_SIZE, attributes);
    else stage2.map(vcpu.cpu, page, frame, PAGE_SIZE, attributes);
    const ipa = BigInt(page), physical = BigInt(frame);
    this.monitor.site.events.emit("stage2Mapped", vcpu.index, { ipa, physical, read, write, execute });
  }

  save(): Section {
    const state = { random: this.#random, free: [...this.#pager.free] };
    return layout.encode(this.monitor.sectionName(SLUG), state);
  }

  restore(section: Section): void {
    const { random, free } = layout.decode(section);
    if (free.length !== this.options.spare) {
      throw new RangeError(`Cannot restore section "${section.name}": it has ${free.length} free frames`);
    }
    this.#random = random;
    this.#pager.free = free;
  }
}

/** The row of the system. */
export const ICACHE_ON_FAULT: SystemRow = systemRow<IcacheOnFaultOptions>({
  slug: SLUG,
  levels: [2],
  options: icacheOnFaultOptions,
  build(options, monitor) {
    if (!(monitor instanceof El2Monitor)) throw new ConfigurationError(`${SLUG} is for a monitor at EL2`);
    refuseDma(options, monitor);
    return new IcacheOnFault(options, monitor);
  },
});

/** Devices would go on writing to frames that pages have left. */
function refuseDma(
  { every }: IcacheOnFaultOptions,
  { site: { board: { configuration } } }: El2Monitor,
): void {
  const { devices } = configuration;
  if (every === 0 || devices.length === 0) return;
  throw new ConfigurationError(
    `${SLUG} cannot move pages below devices that access memory themselves: leave out -device and -drive, or every=`,
  );
}
