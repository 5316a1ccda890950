/** Records, handlers and regions of one machine, and who drives them: bursts, and what code comes back for. */
import type { Cpu } from "../cpu/cpu.ts";
import { PlainExceptions } from "../cpu/plain_exceptions.ts";
import { CPU_STATE_SIZE, SLOT_PC } from "../cpu/registers.ts";
import { accessLevel } from "../cpu/slow_access.ts";
import { accessControls } from "../cpu/translation_regime.ts";
import type { PhysicalMemory } from "../memory/physical.ts";
import { CodePages, HANDLER, RECORD_SIZE } from "./code_pages.ts";
import { CachedCompiler } from "./compile_cache.ts";
import type { CompileCache, CompileStatistics, RegionCompilerFactory } from "./compile_request.ts";
import { Decoder } from "./decoder.ts";
import { FrontTables } from "./front_table.ts";
import { Handlers } from "./handlers.ts";
import { LevelWords } from "./level_words.ts";
import type { ReferenceEngine } from "./reference.ts";
import { ImmediateCompiler } from "./region_translator.ts";
import { type CompilePolicy, Regions } from "./regions.ts";
import { SlowAccesses } from "./slow_accesses.ts";
import { ANSWER, type CodeLayout, REASON, SHARED, SHARED_SIZE } from "./threaded_layout.ts";
import { knowledgeOf } from "./threaded_module.ts";
import { WordShapes } from "./word_shapes.ts";

/** SVC, where its immediate is, and ERET. */
const SVC = 0xd4000001 | 0, SVC_IMMEDIATE = 0xffff << 5, ERET = 0xd69f03e0;

/** Halves of a program counter, without arithmetic on bigints. */
const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** Records and handlers of one machine. */
export class GeneratedCode {
  readonly #pages: CodePages;
  readonly #handlers: Handlers;
  readonly #shared: number;
  readonly #words: Int32Array<ArrayBuffer>;
  #cpu!: Cpu;
  /** Instant at which no steps are left. */
  #end = 0;
  /** Instant at which code that was entered has none left. */
  #sliceEnd = 0;
  /** Virtual time less that of the steps; constant until a burst ends. */
  #timeOffset = 0;
  /** Instant at which code comes back to be sampled, wherever runs end before: regions are asked for by counts alone. */
  #sampleAt = 0;
  /** `evaluate` came back because a step ended the burst. */
  #burstEnded = false;
  #isRunning = false;
  /** Writes to code so far: a device may write to that of a region which accesses it. */
  #codeWrites = 0;
  #isDropDue = false;
  readonly #regions: Regions | undefined;
  /** Tables of each CPU for compiled code. */
  readonly #fronts: readonly FrontTables[];
  readonly #marked = { count: 0 };
  readonly #level: LevelWords;
  /** Exceptions of each CPU. */
  readonly #exceptions: readonly PlainExceptions[];
  /** They are plain until the burst ends; undefined while nobody has asked. */
  #arePlain: boolean | undefined;
  readonly #accesses: SlowAccesses;
  readonly #decoder: Decoder;
  /** That of the TLB when code was entered. */
  #generation = 0;

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly cpus: readonly Cpu[],
    private readonly reference: ReferenceEngine,
    compile: "sync" | "off" | RegionCompilerFactory,
    policy: CompilePolicy,
    cache: CompileCache | undefined,
  ) {
    // Regions are made of whole pages: they would be executed before a strict instruction cache has fetched them.
    const fetches = (cpus[0] as Cpu).surroundings.strict?.instructionCaches !== undefined;
    const compiles = compile !== "off" && !fetches;
    this.#shared = memory.reserveHost(4096);
    this.#words = new Int32Array(memory.memory.buffer as ArrayBuffer, this.#shared, SHARED_SIZE / 4);
    this.#level = new LevelWords(this.#words);
    this.#exceptions = cpus.map((cpu) => new PlainExceptions(cpu));
    this.#fronts = compiles ? cpus.map(({ tlb }) => new FrontTables(memory, tlb, this.#marked)) : [];
    this.#accesses = new SlowAccesses(memory, this.#shared, this.#words, cpus);
    this.#pages = new CodePages(memory, policy.heat);
    const layout = this.#layout(compiles);
    const { model } = (cpus[0] as Cpu).features, memoryPages = memory.memory.buffer.byteLength / 65536;
    const words = new WordShapes(knowledgeOf(model, layout));
    if (compile !== "off" && compiles) {
      const setup = { model, layout, memoryPages };
      const immediate = new ImmediateCompiler(setup, words);
      const compiler = compile === "sync" ? immediate : compile(setup, immediate);
      this.#regions = new Regions(
        memory,
        this.#pages,
        cache === undefined ? compiler : new CachedCompiler(setup, cache, compiler),
        policy,
        () => cpus.some(({ armed, watches }) => armed !== undefined || watches?.hasExecute === true),
        (left, low, high, descriptor) => this.#accessDevice(left, low >>> 0, high >>> 0, descriptor),
      );
    }
    const imports = {
      // Addresses come as signed numbers.
      access: (record: number, left: number, low: number, high: number, descriptor: number) =>
        this.#access(record >>> 0, left, low >>> 0, high >>> 0, descriptor),
      evaluate: (record: number, left: number) => this.#evaluate(record >>> 0, left),
    };
    this.#handlers = new Handlers(memory, layout, imports, this.#regions?.table, words);
    this.#decoder = new Decoder(memory, cpus, this.#pages, this.#handlers, () => this.#drop());
    if (compiles) memory.marksChanged = () => void this.#marked.count++;
    memory.codeObserver = {
      written: (hostOffset, size) => {
        this.#codeWrites++;
        this.#pages.written(hostOffset, size);
      },
      dropped: () => this.#dropLater(),
      breakpointChanged: (address) => this.#pages.forgetInstruction(address),
    };
  }

  /** What was compiled so far. */
  get compiled(): CompileStatistics | undefined {
    return this.#regions?.statistics;
  }

  #layout(compiles: boolean): CodeLayout {
    const { memory, cpus } = this, { arena, sides } = this.#pages;
    const only = cpus.length === 1 ? cpus[0] : undefined;
    const cpu0 = cpus[0] as Cpu;
    return {
      isStrict: cpu0.surroundings.strict !== undefined,
      hasBranchTypes: cpu0.implements("BTI"),
      hasFineGrainedTraps: cpu0.implements("FGT"),
      nanosecondsPerStep: cpu0.surroundings.clock.nanosecondsPerStep,
      shared: this.#shared,
      pageFlags: memory.pageFlags.byteOffset,
      cpu: only && { state: 0, tlb: only.tlb.offset },
      regions: compiles ? { arena, sides } : undefined,
    };
  }

  /** Records in use stay until code has come back, which it does after the present instruction. */
  #dropLater(): void {
    if (this.#isRunning) this.#isDropDue = true;
    else this.#drop();
  }

  #drop(): void {
    this.#isDropDue = false;
    this.#decoder.drop();
    this.#pages.drop();
    this.#regions?.drop();
    for (const { tlb } of this.cpus) tlb.code.clear();
  }

  /** Executes at most `budget` steps; see `Engine.run`. */
  run(cpu: Cpu, budget: number): void {
    const { clock } = cpu.surroundings;
    this.#cpu = cpu;
    this.#regions?.takeIn();
    this.#end = clock.instant + budget;
    this.#timeOffset = clock.now - clock.instant * clock.nanosecondsPerStep;
    this.#arePlain = undefined;
    this.#level.begin(cpu);
    const areAlone = this.#areExclusivesAlone(cpu);
    this.#put(SHARED.exclusivesAlone, areAlone ? 1 : 0);
    // Code marks what a monitor watches without a word: writes that pass unseen are for where no other is open.
    if (!areAlone) this.#marked.count++;
    while (clock.instant < this.#end) {
      const record = this.#decoder.recordOfPc(cpu);
      const goesOn = record === 0 ? this.#stepOnce() : this.#runFrom(record);
      if (!goesOn) return;
    }
  }

  /** Constant until the burst ends: meanwhile other CPUs' monitors can but close. */
  #areExclusivesAlone(cpu: Cpu): boolean {
    if (cpu.surroundings.events.wantsDetails) return false;
    for (const other of this.cpus) if (other !== cpu && other.monitor.open) return false;
    return true;
  }

  /** One step of the reference engine; false when the burst ends with it. */
  #stepOnce(): boolean {
    const cpu = this.#cpu, { clock } = cpu.surroundings;
    if (cpu.watches?.stopsBefore(cpu) === true) return false;
    const ends = this.reference.step(cpu);
    clock.instant++;
    return !ends && !cpu.attention && !clock.changed;
  }

  /** Runs records; false when the burst ends. */
  #runFrom(record: number): boolean {
    const { index, tlb, surroundings: { clock } } = this.#cpu;
    this.#putContexts();
    this.#put(SHARED.rest, 0);
    // Steps that are left are counted anew: no number of before means anything.
    this.#put(SHARED.branchLeft, -1);
    if (this.#regions !== undefined) {
      this.#put(SHARED.page, this.#pages.sideOf(this.#pages.pageOf(record).base));
    }
    this.#isRunning = true;
    this.#generation = tlb.generation;
    const left = Math.min(this.#end, this.#nextSample()) - clock.instant;
    this.#sliceEnd = clock.instant + left;
    const lastTime = this.#timeOffset + (this.#sliceEnd - 1) * clock.nanosecondsPerStep;
    this.#put(SHARED.lastTime, lastTime);
    this.#put(SHARED.lastTime + 4, lastTime / 2 ** 32);
    const reason = this.#handlers.run(record, left, index * CPU_STATE_SIZE, tlb.offset);
    this.#isRunning = false;
    const goesOn = this.#cameBack(reason);
    if (this.#isDropDue) this.#drop();
    return goesOn;
  }

  /** Where the next sample is due; instants may have gone back since it was set. */
  #nextSample(): number {
    if (this.#regions === undefined) return Infinity;
    const { instant } = this.#cpu.surroundings.clock, { slice } = this.#regions;
    if (this.#sampleAt <= instant || this.#sampleAt > instant + slice) this.#sampleAt = instant + slice;
    return this.#sampleAt;
  }

  /** What a `REASON` asks for; false when the burst ends. */
  #cameBack(reason: number): boolean {
    const cpu = this.#cpu, { clock } = cpu.surroundings;
    if (reason === REASON.evaluated) return !this.#burstEnded;
    const left = this.#get(SHARED.left) + this.#get(SHARED.rest);
    clock.instant = this.#sliceEnd - left;
    if (reason !== REASON.faulted) this.#branchTypeAt(left);
    if (reason === REASON.branched) {
      cpu.slots[SLOT_PC] = this.memory.view.getBigUint64(this.#shared + SHARED.target, true);
      return true;
    }
    const record = this.#get(SHARED.record) >>> 0;
    cpu.slots[SLOT_PC] = this.#pages.addressOf(record);
    switch (reason) {
      case REASON.faulted: // Its events belong to the step's own instant.
        clock.instant--;
        this.reference.except(cpu);
        clock.instant++;
        return false;
      case REASON.undecoded:
        return this.#decoder.decodeFrom(record) || this.#stepOnce();
      case REASON.hot:
        this.#regions?.add(this.#pages.pageAtSide(this.#get(SHARED.hot) >>> 0));
        return true;
      case REASON.awaited:
        if (this.#handlers.await()) this.#decoder.decodeAwaited();
        return this.#stepOnce();
      case REASON.limit:
        if (clock.instant >= this.#sampleAt) this.#regions?.sample(this.#pages.pageOf(record));
        return !cpu.attention && !clock.changed;
      default: // No steps are left, or an access asked to stop.
        return !cpu.attention && !clock.changed;
    }
  }

  /** The next instruction has to be fetched anew: code or translations are not what they were when code was entered. */
  #mustLookAgain(): boolean {
    return this.#isDropDue || this.#cpu.tlb.generation !== this.#generation;
  }

  /** BTYPE for an instruction before which so many steps are left: it is what the one before it set, or 0. */
  #branchTypeAt(left: number): void {
    this.#cpu.branchType = this.#get(SHARED.branchLeft) === left ? this.#get(SHARED.branchType) : 0;
  }

  #get(place: number): number {
    return this.#words[place >> 2] as number;
  }

  #put(place: number, value: number): void {
    this.#words[place >> 2] = value;
  }

  /** Contexts of the present level and of LDTR and STTR there. */
  #putContexts(): void {
    const cpu = this.#cpu, { tlb: { contexts }, el } = cpu;
    const lower = contexts[el * 2] as number, upper = contexts[el * 2 + 1] as number;
    // Byte order is the present level's.
    const other = lower === 0 ? el : accessLevel(cpu, "unprivileged");
    const otherLower = contexts[other * 2] as number, otherUpper = contexts[other * 2 + 1] as number;
    this.#putContext(SHARED.contexts, lower);
    this.#putContext(SHARED.contexts + 8, upper);
    this.#putContext(SHARED.unprivilegedContexts, otherLower);
    this.#putContext(SHARED.unprivilegedContexts + 8, otherUpper);
    if (this.#regions === undefined) return;
    const fronts = this.#fronts[cpu.index] as FrontTables, front = fronts.select(lower, upper);
    this.#put(SHARED.front, front);
    this.#put(SHARED.unprivilegedFront, fronts.select(otherLower, otherUpper, front));
  }

  /** One that is unknown matches no tag. */
  #putContext(place: number, context: number): void {
    this.#put(place, context === 0 ? -1 : context);
    this.#put(place + 4, context === 0 ? -1 : 0);
  }

  /** A record's access that is not plain. */
  #access(record: number, left: number, low: number, high: number, descriptor: number): number {
    const cpu = this.#cpu, { tlb, surroundings: { clock } } = cpu;
    const rest = this.#get(SHARED.rest), { translations } = tlb, { count } = this.#marked;
    clock.instant = this.#sliceEnd - left - rest - 1;
    const isRegister = this.#accesses.register(cpu, low, high, descriptor);
    if (isRegister) this.#regions?.touched(record);
    if (!isRegister && !this.#accesses.page(cpu, low, high, descriptor)) {
      cpu.slots[SLOT_PC] = this.#pages.addressOf(record);
      HALVES[0] = low;
      HALVES[1] = high;
      this.#accesses.any(cpu, WIDE[0] as bigint, descriptor);
      if (cpu.pending !== undefined) {
        this.#branchTypeAt(left + rest + 1);
        return ANSWER.faulted;
      }
    }
    // A device may write to memory, but not to the registers that contexts come from.
    const areTablesGood = isRegister && tlb.translations === translations && this.#marked.count === count;
    if (!areTablesGood) this.#putContexts();
    if (!cpu.attention && !clock.changed && !this.#mustLookAgain()) return ANSWER.done;
    this.#put(SHARED.rest, rest + left);
    return ANSWER.stop;
  }

  /** A region's access; see `DeviceAccessor`. Where the burst, or what code relies on, ends, no steps are left. */
  #accessDevice(left: number, low: number, high: number, descriptor: number): number {
    const cpu = this.#cpu, { tlb, surroundings: { clock, events } } = cpu, size = descriptor >>> 8;
    if (!events.takesNumbers || (low & (size - 1)) !== 0) return 0;
    const { translations } = tlb, { count } = this.#marked, writes = this.#codeWrites;
    clock.instant = this.#sliceEnd - left - 1;
    if (!this.#accesses.device(cpu, low, high, descriptor & 3, size)) return 0;
    const areTablesGood = tlb.translations === translations && this.#marked.count === count;
    if (
      !areTablesGood || this.#codeWrites !== writes || cpu.attention || clock.changed || this.#mustLookAgain()
    ) {
      this.#put(SHARED.rest, left);
    }
    return this.#shared + SHARED.value;
  }

  /** Executes a record's instruction as the reference engine does. */
  #evaluate(record: number, left: number): number {
    const { hostPage, base, address } = this.#pages.pageOf(record),
      within = (record - base) / (RECORD_SIZE / 4);
    if (this.#cpu.watches?.hasExecute === true && this.#isStopped(record, left)) return 0;
    const word = this.memory.view.getUint32(hostPage + within, true);
    if (word === ERET || (word & ~SVC_IMMEDIATE) === SVC) {
      WIDE[0] = address;
      const following = this.#changeLevel(left, word, (HALVES[0] as number) + within, HALVES[1] as number);
      if (following >= 0) return following;
    }
    const cpu = this.#cpu, { clock } = cpu.surroundings;
    const pc = this.#pages.addressOf(record);
    cpu.slots[SLOT_PC] = pc;
    clock.instant = this.#sliceEnd - left - 1;
    this.#branchTypeAt(left + 1);
    this.#burstEnded = !this.#stepOnce();
    if (this.#burstEnded || this.#mustLookAgain() || cpu.branchType !== 0) return 0;
    // What traps changes only where a burst ends.
    if (this.#pages.handlerOf(record) !== HANDLER.evaluated) {
      this.#level.askTraps(cpu);
    }
    this.#putContexts();
    return cpu.slots[SLOT_PC] === BigInt.asUintN(64, pc + 4n) ? record + RECORD_SIZE : 0;
  }

  /** A watch point stops the CPU before a record's instruction, where it stands then. */
  #isStopped(record: number, left: number): boolean {
    const cpu = this.#cpu;
    cpu.slots[SLOT_PC] = this.#pages.addressOf(record);
    cpu.surroundings.clock.instant = this.#sliceEnd - left - 1;
    this.#branchTypeAt(left + 1);
    return this.#burstEnded = cpu.watches?.stopsBefore(cpu) === true;
  }

  /**
   * Executes an SVC or ERET at an address where that is plain: the burst goes on. The record to go on with, 0 to come
   * back, or −1 if it is not plain, and nothing has happened.
   */
  #changeLevel(left: number, word: number, low: number, high: number): number {
    const cpu = this.#cpu, { tlb, surroundings: { clock } } = cpu;
    const exceptions = this.#exceptions[cpu.index] as PlainExceptions;
    this.#arePlain ??= exceptions.arePlain();
    this.#branchTypeAt(left + 1);
    if (!this.#arePlain || cpu.branchType !== 0) return -1;
    clock.instant = this.#sliceEnd - left - 1;
    const isDone = word === ERET
      ? exceptions.exceptionReturn()
      : exceptions.supervisorCall((word & SVC_IMMEDIATE) >>> 5, low, high);
    if (!isDone) return -1;
    clock.instant++;
    this.#level.changed(cpu);
    this.#burstEnded = cpu.attention || clock.changed;
    if (this.#burstEnded || this.#mustLookAgain() || cpu.branchType !== 0) return 0;
    // PSTATE.PAN has changed.
    if (tlb.levels[cpu.el] === undefined) accessControls(cpu, cpu.el);
    this.#putContexts();
    const { targetLow, targetHigh } = exceptions;
    if ((targetLow & 3) !== 0) return 0;
    const known = tlb.code.find(
      targetHigh,
      targetLow,
      tlb.contexts[cpu.el << 1 | targetHigh >>> 23 & 1] as number,
    );
    return known < 0 ? 0 : tlb.code.hostPage(known) + (targetLow & 0xffc) * (RECORD_SIZE / 4);
  }
}
