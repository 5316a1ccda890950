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
import { type BoardRow, SPI_BASE } from "../../../machine/board.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { EXCEPTION_CLASS } from "../../../machine/cpu/syndrome.ts";
import type { Section } from "../../../machine/snapshot.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import { HYPERVISOR_TIMER } from "../../hypervisor_timer.ts";
import { type ExitHandler, type MonitorSystem, type SystemRow, systemRow } from "../../system.ts";
import { Painter } from "../../terminal/painter.ts";
import type { Vcpu } from "../../vcpu.ts";
import { type CommandedConsoles, commandOf, refuseCommand } from "./commands.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";
import { EscapeKeys } from "./escape_keys.ts";
import { GdbStub } from "./gdb_stub.ts";
import { GuestUart } from "./guest_uart.ts";
import { Identification } from "./identification.ts";
import { ConsoleLine } from "./line.ts";
import {
  CONSOLE_KEYS,
  type ConsoleName,
  CONSOLES,
  type Encoding,
  type SerialConsolesOptions,
  serialConsolesOptions,
} from "./options.ts";
import { restoreConsoles, saveConsoles, SCREENS } from "./section.ts";
import { statusText } from "./status_screen.ts";
import { VirtualConsole } from "./virtual_console.ts";

const SLUG = "serial-consoles";

type ScreenName = (typeof SCREENS)[number];
const UARTS = { shell: "uart0", log: "uart1" } as const;
type UartName = keyof typeof UARTS;

/** What is told to whoever looks on from outside; nothing of it is state. */
export interface ConsoleWatcher {
  /** A byte was written on a console by its owner. */
  written?(console: ConsoleName, byte: number): void;
  /** A byte came to a console from the line. */
  typed?(console: ConsoleName, byte: number): void;
  /** The line's terminal shows the console now; `isAll` after a switch and the like, when all of it was looked at. */
  painted?(console: VirtualConsole, isAll: boolean): void;
}

/** The consoles of one guest. */
export class SerialConsoles implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: Readonly<Record<string, ExitHandler>>;
  /** Who looks on. */
  watcher: ConsoleWatcher = {};
  readonly #monitor: El2Monitor;
  readonly #options: SerialConsolesOptions;
  readonly #line: ConsoleLine;
  readonly #deadlines: Deadlines;
  readonly #consoles: Readonly<Record<ScreenName, VirtualConsole>>;
  readonly #uarts: Readonly<Record<UartName, GuestUart>>;
  #painter: Painter;
  readonly #escape = new EscapeKeys(Object.values(CONSOLE_KEYS));
  readonly #identification = new Identification();
  readonly #stub: GdbStub;
  #isUp = false;
  #shown: ConsoleName;
  #terminal = "unknown";
  #encoding: Encoding;
  #switches = 0;
  #exits: number[] = [];
  readonly #commanded: CommandedConsoles = {
    show: (console) => this.#switchTo(console, "operator"),
    attach: (identifies) => this.#attach(identifies),
    encode: (encoding) => {
      this.#encoding = encoding;
      this.#attach(false);
    },
    resize: ({ columns, rows }) => {
      for (const { terminal } of Object.values(this.#consoles)) terminal.screen.resize(columns, rows);
      this.#attach(false);
    },
  };
  /** What the operator wants, as soon as a CPU is in the handler. */
  #commands: string[] = [];

  /** Throws ConfigurationError for a board without the second UART. */
  constructor(options: SerialConsolesOptions, monitor: El2Monitor) {
    this.#monitor = monitor;
    this.#options = options;
    this.#shown = options.start;
    this.#encoding = options.encoding;
    this.#painter = this.#newPainter(options.size.columns, options.size.rows);
    const { board } = monitor.site, first = board.rows.find(({ name }) => name === "uart0");
    if (first === undefined || !board.rows.some(({ name, secureOnly }) => name === "uart1" && !secureOnly)) {
      throw new ConfigurationError(
        `Cannot enable ${SLUG}: the kernel's log has no serial port; add uart1=on to -M virt`,
      );
    }
    this.#line = new ConsoleLine(monitor, first);
    this.#deadlines = new Deadlines(monitor, SLUG, () => this.#line.vcpu);
    this.#uarts = { shell: this.#buildUart("shell"), log: this.#buildUart("log") };
    this.#consoles = {
      log: this.#buildConsole("log"),
      shell: this.#buildConsole("shell"),
      status: this.#buildConsole("status"),
    };
    this.#stub = new GdbStub(monitor, (bytes) => this.#line.send(bytes));
    monitor.gic.claim(this.#line.interrupt);
    monitor.timer.use(SLUG);
    this.exits = Object.fromEntries(
      Object.keys(EXCEPTION_CLASS).map((name): [string, ExitHandler] => [
        name,
        (vcpu, exit) => {
          this.#bringUp(vcpu);
          return this.#stub.exit(vcpu, exit);
        },
      ]),
    );
  }

  #buildUart(console: UartName): GuestUart {
    const { monitor, options } = { monitor: this.#monitor, options: this.#options };
    const row = monitor.site.board.rows.find(({ name }) => name === UARTS[console]) as BoardRow;
    const on = (cpu: number): Cpu => monitor.site.cpus[cpu] as Cpu;
    const uart = new GuestUart({
      name: `v${row.name}`,
      backlog: options.backlog,
      transmitted: (byte, cpu) => {
        this.#line.vcpu = monitor.vcpu(on(cpu));
        this.#written(console, byte);
      },
      driven: (level, cpu) => monitor.gic.drive(on(cpu), SPI_BASE + (row.spi ?? 0), level),
      listens: (_isListening, cpu) => {
        this.#line.vcpu = monitor.vcpu(on(cpu));
        // The banner comes or goes.
        if (this.#shown === console) this.#paint(true);
      },
    });
    monitor.space.emulate(row.base, row.size, uart);
    return uart;
  }

  #buildConsole(name: ScreenName): VirtualConsole {
    const { size: { columns, rows }, charset } = this.#options;
    return new VirtualConsole(name, {
      columns,
      rows,
      isUtf8: charset === "utf-8",
      answered: (answer) => {
        for (const character of answer) this.#type(name, character.charCodeAt(0));
      },
      rung: () => this.#shown === name ? this.#painter.ring() : undefined,
    }, () => name !== "status" && this.#uarts[name].isAbandoned);
  }

  /** A console by name. */
  console(name: ScreenName): VirtualConsole {
    return this.#consoles[name];
  }

  /** The console that the line shows. */
  get shown(): ConsoleName {
    return this.#shown;
  }

  /** The cells of the line's terminal, as far as the painter knows. */
  get painter(): Painter {
    return this.#painter;
  }

  /** Power-on: all consoles are blank; the line comes up when the first CPU starts. */
  reset(): void {
    const { size: { columns, rows }, start, encoding } = this.#options;
    for (const uart of Object.values(this.#uarts)) uart.reset();
    for (const console of Object.values(this.#consoles)) {
      console.reset(columns, rows, this.#options.charset === "utf-8");
    }
    this.#painter = this.#newPainter(columns, rows);
    this.#escape.reset();
    this.#identification.reset();
    this.#stub.reset();
    this.#isUp = false;
    this.#shown = start;
    this.#encoding = encoding;
    this.#terminal = "unknown";
    this.#deadlines.reset();
    this.#line.sent = this.#line.received = this.#switches = 0;
    this.#exits = this.#monitor.site.cpus.map(() => 0);
    this.#commands = [];
  }

  #newPainter(columns: number, rows: number): Painter {
    return new Painter(columns, rows, (bytes) => this.#line.send(bytes));
  }

  started(vcpu: Vcpu): void {
    if (vcpu.index !== 0) return;
    this.#line.vcpu = vcpu;
    this.#line.start();
  }

  /** The line comes up at the first exit: at power-on nobody listens to it yet. */
  #bringUp(vcpu: Vcpu): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.#line.vcpu = vcpu;
    if (this.#shown === "gdb") this.#stub.enter(vcpu);
    else this.#attach(this.#options.identify);
  }

  interrupt(vcpu: Vcpu, interrupt: number): boolean {
    this.#bringUp(vcpu);
    this.#line.vcpu = vcpu;
    if (interrupt === HYPERVISOR_TIMER) {
      this.#deadlines.due((what) => this.#due(what));
      return true;
    }
    if (interrupt !== this.#line.interrupt) return false;
    for (let byte = this.#line.take(); byte !== undefined; byte = this.#line.take()) this.#received(byte);
    return true;
  }

  /** A byte came over the line. */
  #received(byte: number): void {
    if (this.#shown === "gdb") return this.#stub.receive(this.#line.vcpu, byte);
    const isIdentifying = this.#identification.isWaiting;
    for (const typed of this.#identification.push(byte)) this.#keyed(typed);
    if (isIdentifying && !this.#identification.isWaiting) this.#identified();
    this.#deadlines.wait("escape", this.#escape.isPartial ? this.#options.timeout : undefined);
  }

  #keyed(byte: number): void {
    // A switch to the debugger may be among bytes that were held back.
    if (this.#shown === "gdb") return this.#stub.receive(this.#line.vcpu, byte);
    const outcome = this.#escape.push(byte);
    if (outcome?.kind === "pass") { for (const typed of outcome.bytes) this.#type(this.#shown, typed); }
    if (outcome?.kind !== "switch") return;
    this.#switchTo(CONSOLES.find((name) => CONSOLE_KEYS[name] === outcome.key) as ConsoleName, "key");
  }

  /** Hands a byte to whoever is behind a console. */
  #type(name: ConsoleName, byte: number): void {
    if (name === "gdb") return;
    this.#consoles[name].typed++;
    this.watcher.typed?.(name, byte);
    if (name !== "status") this.#uarts[name].receive(byte, this.#line.vcpu.index);
    else if (byte === 0x72) this.#drawStatus();
  }

  /** A guest wrote a byte on its console. */
  #written(name: UartName, byte: number): void {
    this.watcher.written?.(name, byte);
    this.#consoles[name].write(byte);
    if (this.#shown === name) this.#paint();
    else this.#consoles[name].terminal.screen.scrolled = "none";
  }

  #paint(isAll = false): void {
    if (this.#shown === "gdb") return;
    const console = this.#consoles[this.#shown];
    const { scrolled: _scrolled, ...all } = console.view();
    this.#painter.paint(isAll ? all : console.view(), isAll ? undefined : console.changedRows);
    console.noted();
    this.watcher.painted?.(console, isAll);
  }

  #switchTo(to: ConsoleName, by: "key" | "operator"): void {
    const from = this.#shown;
    this.#switches++;
    this.#monitor.site.events.emit("consoleSwitched", this.#line.vcpu.index, { from, to, by });
    this.#shown = to;
    if (to === "gdb") {
      this.#deadlines.wait("refresh", undefined);
      if (from !== "gdb") this.#stub.enter(this.#line.vcpu);
      return;
    }
    if (to === "status") this.#drawStatus();
    else this.#deadlines.wait("refresh", undefined);
    if (from !== "gdb") return this.#paint(true);
    this.#stub.leave(this.#line.vcpu);
    this.#attach(false);
  }

  /** A terminal, of which nothing is known, is at the line now. */
  #attach(identifies: boolean): void {
    const { columns, rows } = this.#consoles.shell.terminal.screen;
    const { shown, encoding, terminal } = {
      shown: this.#shown,
      encoding: this.#encoding,
      terminal: this.#terminal,
    };
    this.#monitor.site.events.emit("consoleAttached", this.#line.vcpu.index, {
      console: shown,
      terminal,
      encoding,
    });
    this.#painter.isAscii = encoding === "ascii";
    this.#painter.attach(columns, rows);
    if (shown === "status") this.#drawStatus();
    else this.#paint(true);
    if (!identifies) return;
    this.#line.send(this.#identification.begin());
    this.#deadlines.wait("identification", this.#options.timeout);
  }

  /** The terminal answered, or the time for that is over. */
  #identified(): void {
    this.#deadlines.wait("identification", undefined);
    const { identity: { terminal, isUtf8 }, held } = this.#identification.end();
    this.#terminal = terminal;
    if (isUtf8 !== undefined) this.#encoding = isUtf8 ? "utf-8" : "ascii";
    for (const byte of held) this.#keyed(byte);
    if (this.#shown !== "gdb") this.#attach(false);
  }

  #drawStatus(): void {
    const { status } = this.#consoles, { site } = this.#monitor, { configuration } = site.board;
    const text = statusText({
      columns: status.terminal.screen.columns,
      rows: status.terminal.screen.rows,
      virtualTime: site.clock.now,
      instant: site.clock.instant,
      memory: this.#monitor.space.ram.size,
      cpuModel: configuration.cpuModel,
      cpus: site.cpus.map(({ on, waiting, index }) => ({
        state: !on ? "off" : this.#stub.isHeld ? "held" : waiting === "none" ? "runs" : "waits",
        exits: this.#exits[index] ?? 0,
      })),
      consoles: SCREENS.map((name) => ({
        name,
        owner: name === "status" ? "here" : this.#uarts[name].isAbandoned ? "gone" : "guest",
        written: this.#consoles[name].written,
        typed: this.#consoles[name].typed,
        overruns: name === "status" ? 0 : this.#uarts[name].overruns,
      })),
      terminal: this.#terminal,
      encoding: this.#encoding,
      sent: this.#line.sent,
      received: this.#line.received,
      switches: this.#switches,
    });
    for (const byte of new TextEncoder().encode(text)) status.write(byte);
    if (this.#shown !== "status") return;
    this.#paint(true);
    this.#deadlines.wait("refresh", this.#options.refresh);
  }

  /** Something was waited for long enough. */
  #due(what: Deadline): void {
    if (what === "escape") { for (const byte of this.#escape.expire()) this.#type(this.#shown, byte); }
    else if (what === "identification") this.#identified();
    else this.#drawStatus();
  }

  returning(vcpu: Vcpu): void {
    this.#exits[vcpu.index] = (this.#exits[vcpu.index] ?? 0) + 1;
    this.#carryOut(vcpu);
    this.#stub.returning(vcpu);
  }

  prepareCommand(vcpu: Vcpu, words: readonly string[]): () => void {
    refuseCommand(SLUG, words, {
      consoles: this.#commanded,
      shown: this.#shown,
      waiting: this.#commands.length,
    });
    // It is done where the monitor runs: the CPU is brought there.
    return () => {
      this.#commands.push(words.join(" "));
      this.#monitor.gic.physical.kick(vcpu.cpu, vcpu.index);
    };
  }

  #carryOut(vcpu: Vcpu): void {
    if (this.#commands.length === 0) return;
    this.#bringUp(vcpu);
    this.#line.vcpu = vcpu;
    for (const command of this.#commands.splice(0)) {
      const [verb, word] = command.split(" ");
      commandOf(this.#commanded, verb, word)?.();
    }
  }

  save(): Section {
    return saveConsoles(this.#monitor.sectionName(SLUG), {
      isUp: this.#isUp,
      shown: this.#shown,
      consoles: SCREENS.map((name) => this.#consoles[name].save()),
      uarts: [this.#uarts.shell.save(), this.#uarts.log.save()],
      painter: this.#painter.save(),
      escape: this.#escape.save(),
      identification: this.#identification.save(),
      stub: this.#stub.save(),
      deadlines: this.#deadlines.save(),
      isAscii: this.#encoding === "ascii",
      terminal: this.#terminal,
      counters: { sent: this.#line.sent, received: this.#line.received, switches: this.#switches },
      exits: [...this.#exits],
      commands: [...this.#commands],
    });
  }

  restore(section: Section): void {
    const state = restoreConsoles(section);
    this.#isUp = state.isUp;
    this.#shown = state.shown;
    for (const [index, name] of SCREENS.entries()) this.#consoles[name].restore(state.consoles[index]!);
    this.#uarts.shell.restore(state.uarts[0]!);
    this.#uarts.log.restore(state.uarts[1]!);
    const { columns, rows } = state.painter.shown;
    this.#painter = this.#newPainter(columns, rows);
    this.#painter.restore(state.painter);
    this.#escape.restore(state.escape);
    this.#identification.restore(state.identification);
    this.#stub.restore(state.stub);
    this.#deadlines.restore(state.deadlines);
    this.#encoding = state.isAscii ? "ascii" : "utf-8";
    this.#terminal = state.terminal;
    ({ sent: this.#line.sent, received: this.#line.received, switches: this.#switches } = state.counters);
    this.#exits = [...state.exits];
    this.#commands = [...state.commands];
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
