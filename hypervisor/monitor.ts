/** What the monitors at EL2 and EL3 have in common: dispatch of exits by class, trapped registers, systems, sections. */
import type { MonitorConfiguration } from "../machine/configuration.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { Exception } from "../machine/cpu/exception.ts";
import { returnFromException } from "../machine/cpu/exception_return.ts";
import type { ExceptionClass } from "../machine/cpu/syndrome.ts";
import { performSystemInstruction } from "../machine/cpu/address_translate.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  systemRegisterAt,
  systemRegisterNamed,
} from "../machine/cpu/system_registers.ts";
import { ConfigurationError, InputRefusedError } from "../machine/errors.ts";
import type { InstalledMonitor, MonitorSite } from "../machine/monitor.ts";
import type { Section } from "../machine/snapshot.ts";
import { type Exit, exitOf, systemAccessOf } from "./exit.ts";
import { injectUndefined } from "./injection.ts";
import type {
  ExitHandler,
  HypercallOutcome,
  HypercallTrigger,
  MonitorSystem,
  SystemRow,
  TrappedRegister,
} from "./system.ts";
import { Vcpu } from "./vcpu.ts";

/** Virtual nanoseconds that a run of handlers takes: an exit and a return of a small hypervisor. */
export const EXIT_NANOSECONDS = 800;

/** Software at EL2 or EL3 that hosts what runs below. */
export abstract class TrapMonitor implements InstalledMonitor {
  /** The level that is its own. */
  abstract readonly level: 2 | 3;
  /** What it does itself with exits that no system handles; false for those it cannot. */
  protected abstract readonly handlers: Readonly<Partial<Record<ExceptionClass, ExitHandler>>>;
  readonly #systems: MonitorSystem[] = [];
  readonly #registers = new Map<number, TrappedRegister>();
  readonly #vcpus = new Map<number, Vcpu>();

  /** Nothing of the site is used before the first call. */
  constructor(readonly site: MonitorSite) {}

  /** Enables the systems of a configuration; throws ConfigurationError naming what there is not. */
  enable({ level, systems }: MonitorConfiguration, rows: readonly SystemRow[]): void {
    const there = rows.filter(({ levels }) => levels.includes(level));
    for (const { name, options } of systems) {
      const row = there.find(({ slug }) => slug === name);
      if (row === undefined) {
        const names = there.map(({ slug }) => slug).join(", ") || "none";
        throw new ConfigurationError(
          `There is no system "${name}" for a monitor at EL${level}: there are ${names}`,
        );
      }
      if (this.#systems.some(({ slug }) => slug === name)) {
        throw new ConfigurationError(`Cannot enable the system ${name} twice at EL${level}`);
      }
      const parsed = row.options.safeParse(options);
      if (!parsed.success) {
        const issues = parsed.error.issues.map(({ path, message }) =>
          path.length > 0 ? `${path.join(".")}: ${message}` : message
        );
        throw new ConfigurationError(`Cannot set the system ${name} up: ${issues.join("; ")}`);
      }
      this.add(row.build(parsed.data, this));
    }
  }

  /** Enables one system; throws ConfigurationError when another one has one of its registers. */
  protected add(system: MonitorSystem): void {
    this.#systems.push(system);
    for (const register of system.registers ?? []) {
      const { encoding, name } = systemRegisterNamed(register.name);
      if (this.#registers.has(encoding)) {
        throw new ConfigurationError(
          `Cannot enable ${system.slug}: another system has ${name} already`,
        );
      }
      this.#registers.set(encoding, register);
    }
  }

  /** A system that is enabled, by name. */
  system(slug: string): MonitorSystem | undefined {
    return this.#systems.find((system) => system.slug === slug);
  }

  /** All systems that are enabled, in order. */
  get systems(): readonly MonitorSystem[] {
    return this.#systems;
  }

  /** A CPU as this monitor has it. */
  vcpu(cpu: Cpu): Vcpu {
    const known = this.#vcpus.get(cpu.index);
    if (known !== undefined) return known;
    const made = new Vcpu(cpu, this.level);
    this.#vcpus.set(cpu.index, made);
    return made;
  }

  /**
   * Offers a call to the systems, in order; ELR_ELx of the monitor's level is at the instruction that called. Whoever
   * handles the trigger's exit asks this, and goes on behind the instruction (`vcpu.skip`) after "answered".
   */
  hypercall(vcpu: Vcpu, trigger: HypercallTrigger): HypercallOutcome {
    for (const system of this.#systems) {
      const outcome = system.hypercall?.(vcpu, trigger) ?? "declined";
      if (outcome !== "declined") return outcome;
    }
    return "declined";
  }

  reset(): void {
    for (const system of this.#systems) system.reset?.();
  }

  started(cpu: Cpu): void {
    const vcpu = this.vcpu(cpu);
    this.starting(vcpu);
    for (const system of this.#systems) system.started?.(vcpu);
  }

  /** Sets the registers of the monitor's level for a CPU that starts. */
  protected abstract starting(vcpu: Vcpu): void;

  /** An interrupt came to the monitor's level. */
  protected abstract interrupted(vcpu: Vcpu, exception: Exception): void;

  handle(cpu: Cpu, exception: Exception): void {
    const vcpu = this.vcpu(cpu);
    this.site.clock.charge(EXIT_NANOSECONDS);
    if (exception.kind === "synchronous") this.#exit(vcpu, exitOf(exception));
    else this.interrupted(vcpu, exception);
    for (const system of this.#systems) system.returning?.(vcpu);
    this.returning(vcpu);
    cpu.registers.pc = returnFromException(cpu);
  }

  /** After everything, before the guest goes on. */
  protected returning(_vcpu: Vcpu): void {}

  /** Offers an exit to the systems, and nobody else: also of an access that one makes in its guest's place. */
  offer(vcpu: Vcpu, exit: Exit): boolean {
    return this.#systems.some(({ exits }) => exits?.[exit.class]?.(vcpu, exit) === true);
  }

  #exit(vcpu: Vcpu, exit: Exit): void {
    if (this.offer(vcpu, exit)) return;
    if (exit.class === "systemRegisterTrapped" && this.#systemAccess(vcpu, exit)) return;
    if (this.handlers[exit.class]?.(vcpu, exit) === true) return;
    injectUndefined(vcpu);
  }

  /** A trapped access: whoever has the register answers, else the register itself; false when there is no such thing. */
  #systemAccess(vcpu: Vcpu, exit: Exit): boolean {
    const { encoding, Rt, isRead } = systemAccessOf(exit);
    const { cpu } = vcpu;
    const row = systemRegisterAt(encoding);
    if (row === undefined) {
      if (!performSystemInstruction(cpu, encoding, vcpu.x(Rt))) return false;
      vcpu.skip();
      return true;
    }
    const register = this.#registers.get(encoding);
    let value: bigint;
    if (isRead) {
      value = register?.read?.(vcpu) ?? peekSystemRegister(cpu, row.name);
      vcpu.setX(Rt, value);
    } else {
      value = vcpu.x(Rt);
      if (register?.write !== undefined) register.write(vcpu, value);
      else patchSystemRegister(cpu, row.name, value);
    }
    this.site.events.emit("registerEmulated", cpu.index, {
      level: this.level,
      register: row.name,
      access: isRead ? "read" : "write",
      value: BigInt.asUintN(64, value),
    });
    vcpu.skip();
    return true;
  }

  prepareTimeScale(numerator: number, denominator: number): () => void {
    const scaling = this.#systems.find(({ prepareTimeScale }) => prepareTimeScale !== undefined);
    if (scaling?.prepareTimeScale !== undefined) return scaling.prepareTimeScale(numerator, denominator);
    throw new InputRefusedError(
      `Cannot change a time scale: no system of the monitor at EL${this.level} has one; use --monitor el2:time-scale`,
    );
  }

  prepareCommand(cpu: Cpu, command: string): () => void {
    const [slug = "", ...words] = command.trim().split(/\s+/);
    const system = this.system(slug);
    if (system?.prepareCommand !== undefined) return system.prepareCommand(this.vcpu(cpu), words);
    const names = this.#systems.filter(({ prepareCommand }) => prepareCommand !== undefined);
    throw new InputRefusedError(
      `The monitor at EL${this.level} takes no command "${slug}": there are ` +
        (names.map((named) => named.slug).join(", ") || "none"),
    );
  }

  prepareMessage(cpu: Cpu, port: string, bytes: Uint8Array): (() => void) | undefined {
    for (const system of this.#systems) {
      const taken = system.prepareMessage?.(this.vcpu(cpu), port, bytes);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  save(): readonly Section[] {
    return this.#systems.flatMap((system) => system.save === undefined ? [] : [system.save()]);
  }

  restore(section: (name: string) => Section): void {
    for (const system of this.#systems) {
      if (system.save !== undefined) system.restore?.(section(this.sectionName(system.slug)));
    }
  }

  /** The name of the section of a system, or of something else of the monitor's. */
  sectionName(what: string): string {
    return `monitor${this.level}.${what}`;
  }

  /** Ends the run: what the monitor met is neither architecture nor its guest's fault to go on from. */
  stop(vcpu: Vcpu, reason: string): void {
    this.site.events.emit("monitorStopped", vcpu.index, { level: this.level, reason: reason.slice(0, 256) });
    this.site.powerOff();
  }
}
