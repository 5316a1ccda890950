/**
 * serial-consoles (20): several consoles on one serial line (US20190258590A1; grant US10776287).
 *
 * The board's PL011 (0x0900_0000, INTID 33; Arm DDI 0183G) is the monitor's. In its place, and in that of the second one,
 * the guest finds PL011s whose pages stage 2 does not map: an access is a data abort to EL2 (EC 0x24, HPFAR_EL2), done on
 * a model; the model's UARTINTR is an input of the virtual interrupt controller. What a guest transmits goes through a
 * terminal without a display to a grid of cells, one for each console: `log` (the second UART, for the kernel's console),
 * `shell` (the first one), `status` (of the monitor itself). The grid that is shown is painted on the line, with no more
 * than what differs from what the terminal there shows already. What is typed goes to the console that is shown; Ctrl-G,
 * Ctrl-B and a key show another. The fourth, `gdb`, is no terminal: the line is a debugger's, and no key leads back.
 */
import { ConfigurationError } from "../../../machine/errors.ts";
import { EXCEPTION_CLASS } from "../../../machine/cpu/syndrome.ts";
import type { Section } from "../../../machine/snapshot.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import { type ExitHandler, type MonitorSystem, type SystemRow, systemRow } from "../../system.ts";
import type { Painter } from "../../terminal/painter.ts";
import type { Vcpu } from "../../vcpu.ts";
import { WaitingCommands } from "./commands.ts";
import type { ScreenName } from "./guest_consoles.ts";
import { type ConsoleName, type SerialConsolesOptions, serialConsolesOptions } from "./options.ts";
import { restoreConsoles, saveConsoles } from "./section.ts";
import { type ConsoleWatcher, SharedLine } from "./shared_line.ts";
import type { VirtualConsole } from "./virtual_console.ts";

const SLUG = "serial-consoles";

/** The consoles of one guest. */
export class SerialConsoles implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: Readonly<Record<string, ExitHandler>>;
  readonly #line: SharedLine;
  readonly #commands: WaitingCommands;

  /** Throws ConfigurationError for a board without the second UART. */
  constructor(options: SerialConsolesOptions, private readonly monitor: El2Monitor) {
    this.#line = new SharedLine(SLUG, options, monitor);
    this.#commands = new WaitingCommands(SLUG, this.#line);
    this.exits = Object.fromEntries(
      Object.keys(EXCEPTION_CLASS).map((name): [string, ExitHandler] => [
        name,
        (vcpu, exit) => {
          this.#line.bringUp(vcpu);
          return this.#line.stub.exit(vcpu, exit);
        },
      ]),
    );
  }

  /** Who looks on. */
  set watcher(watcher: ConsoleWatcher) {
    this.#line.watcher = watcher;
  }

  /** A console by name. */
  console(name: ScreenName): VirtualConsole {
    return this.#line.consoles.screen(name);
  }

  /** The console that the line shows. */
  get shown(): ConsoleName {
    return this.#line.shown;
  }

  /** The cells of the line's terminal, as far as the painter knows. */
  get painter(): Painter {
    return this.#line.terminal.painter;
  }

  /** Power-on: all consoles are blank; the line comes up when the first CPU starts. */
  reset(): void {
    this.#line.reset();
    this.#commands.reset();
  }

  started(vcpu: Vcpu): void {
    if (vcpu.index === 0) this.#line.start(vcpu);
  }

  interrupt(vcpu: Vcpu, interrupt: number): boolean {
    this.#line.bringUp(vcpu);
    this.#line.handle(vcpu);
    return this.#line.interrupt(interrupt);
  }

  returning(vcpu: Vcpu): void {
    this.#line.exits[vcpu.index] = (this.#line.exits[vcpu.index] ?? 0) + 1;
    this.#carryOut(vcpu);
    this.#line.stub.returning(vcpu);
  }

  prepareCommand(vcpu: Vcpu, words: readonly string[]): () => void {
    this.#commands.refuse(words, this.shown);
    // It is done where the monitor runs: the CPU is brought there.
    return () => {
      this.#commands.push(words);
      this.monitor.gic.physical.kick(vcpu.cpu, vcpu.index);
    };
  }

  #carryOut(vcpu: Vcpu): void {
    if (this.#commands.isEmpty) return;
    this.#line.bringUp(vcpu);
    this.#line.handle(vcpu);
    this.#commands.carryOut();
  }

  save(): Section {
    const name = this.monitor.sectionName(SLUG);
    return saveConsoles(name, { ...this.#line.save(), commands: this.#commands.save() });
  }

  restore(section: Section): void {
    const state = restoreConsoles(section);
    this.#line.restore(state);
    this.#commands.restore(state.commands);
  }
}

/** The consoles of a machine; undefined for one without. */
export function serialConsolesOf(monitors: readonly unknown[]): SerialConsoles | undefined {
  for (const monitor of monitors) {
    const system = monitor instanceof El2Monitor ? monitor.system(SLUG) : undefined;
    if (system instanceof SerialConsoles) return system;
  }
  return undefined;
}

/** The row. */
export const SERIAL_CONSOLES: SystemRow = systemRow<SerialConsolesOptions>({
  slug: SLUG,
  levels: [2],
  options: serialConsolesOptions,
  build: (options, monitor) => {
    if (!(monitor instanceof El2Monitor)) {
      throw new ConfigurationError(`${SLUG} is a system of a monitor at EL2`);
    }
    return new SerialConsoles(options, monitor);
  },
});
