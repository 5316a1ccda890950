/** The line that consoles share: who is shown there, where what is typed goes, what terminal it is that shows and types. */
import type { El2Monitor } from "../../el2_monitor.ts";
import { HYPERVISOR_TIMER } from "../../hypervisor_timer.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { CommandedConsoles } from "./commands.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";
import { EscapeKeys } from "./escape_keys.ts";
import { GdbStub } from "./gdb_stub.ts";
import { GuestConsoles, type UartName } from "./guest_consoles.ts";
import { Identification } from "./identification.ts";
import { ConsoleLine, lineUart } from "./line.ts";
import { LineTerminal } from "./line_terminal.ts";
import {
  CONSOLE_KEYS,
  type ConsoleName,
  CONSOLES,
  type Encoding,
  type SerialConsolesOptions,
} from "./options.ts";
import type { ConsolesState } from "./section.ts";
import { statusText } from "./status_screen.ts";
import type { VirtualConsole } from "./virtual_console.ts";

/** What is told to whoever looks on from outside; nothing of it is state. */
export interface ConsoleWatcher {
  /** A byte was written on a console by its owner. */
  written?(console: ConsoleName, byte: number): void;
  /** A byte came to a console from the line. */
  typed?(console: ConsoleName, byte: number): void;
  /** The line's terminal shows the console now; `isAll` after a switch and the like, when all of it was looked at. */
  painted?(console: VirtualConsole, isAll: boolean): void;
}

/** The line and all that is at one of its ends or the other. */
export class SharedLine implements CommandedConsoles {
  /** Who looks on. */
  watcher: ConsoleWatcher = {};
  /** Exceptions that came to the monitor, by CPU. */
  exits: number[] = [];
  /** The debugger's end. */
  readonly stub: GdbStub;
  /** The consoles with a screen. */
  readonly consoles: GuestConsoles;
  /** The terminal at the other end. */
  readonly terminal: LineTerminal;
  readonly #line: ConsoleLine;
  readonly #deadlines: Deadlines;
  readonly #escape = new EscapeKeys(Object.values(CONSOLE_KEYS));
  readonly #identification = new Identification();
  #isUp = false;
  #shown: ConsoleName;
  #switches = 0;

  /** Throws ConfigurationError for a board without the second UART; `slug` is whose the timer is. */
  constructor(
    slug: string,
    private readonly options: SerialConsolesOptions,
    private readonly monitor: El2Monitor,
  ) {
    this.#shown = options.start;
    this.#line = new ConsoleLine(monitor, lineUart(monitor.site.board, slug));
    this.terminal = new LineTerminal(options, (bytes) => this.#line.send(bytes));
    this.#deadlines = new Deadlines(monitor, slug, () => this.#line.vcpu);
    this.consoles = new GuestConsoles(monitor, options, {
      written: (console, byte, vcpu) => this.#written(console, byte, vcpu),
      listens: (console, vcpu) => {
        this.#line.vcpu = vcpu;
        // The banner comes or goes.
        if (this.#shown === console) this.#paint(true);
      },
      answered: (console, byte) => this.#type(console, byte),
      rung: (console) => this.#shown === console ? this.terminal.painter.ring() : undefined,
    });
    this.stub = new GdbStub(monitor, (bytes) => this.#line.send(bytes));
    monitor.gic.claim(this.#line.interrupt);
    monitor.timer.use(slug);
  }

  /** The console that is shown. */
  get shown(): ConsoleName {
    return this.#shown;
  }

  /** The first CPU starts. */
  start(vcpu: Vcpu): void {
    this.#line.vcpu = vcpu;
    this.#line.start();
  }

  /** A CPU is in the handler. */
  handle(vcpu: Vcpu): void {
    this.#line.vcpu = vcpu;
  }

  /** The line comes up at the first exit: at power-on nobody listens to it yet. */
  bringUp(vcpu: Vcpu): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.#line.vcpu = vcpu;
    if (this.#shown === "gdb") this.stub.enter(vcpu);
    else this.attach(this.options.identify);
  }

  /** An interrupt came: the line's, or that of its deadlines; false for any other. */
  interrupt(interrupt: number): boolean {
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
    if (this.#shown === "gdb") return this.stub.receive(this.#line.vcpu, byte);
    const isIdentifying = this.#identification.isWaiting;
    for (const typed of this.#identification.push(byte)) this.#keyed(typed);
    if (isIdentifying && !this.#identification.isWaiting) this.#identified();
    this.#deadlines.wait("escape", this.#escape.isPartial ? this.options.timeout : undefined);
  }

  #keyed(byte: number): void {
    // A switch to the debugger may be among bytes that were held back.
    if (this.#shown === "gdb") return this.stub.receive(this.#line.vcpu, byte);
    const outcome = this.#escape.push(byte);
    if (outcome?.kind === "pass") { for (const typed of outcome.bytes) this.#type(this.#shown, typed); }
    if (outcome?.kind !== "switch") return;
    this.#switchTo(CONSOLES.find((name) => CONSOLE_KEYS[name] === outcome.key) as ConsoleName, "key");
  }

  /** Hands a byte to whoever is behind a console. */
  #type(name: ConsoleName, byte: number): void {
    if (name === "gdb") return;
    this.consoles.screen(name).typed++;
    this.watcher.typed?.(name, byte);
    if (name !== "status") this.consoles.receive(name, byte, this.#line.vcpu);
    else if (byte === 0x72) this.#drawStatus();
  }

  /** A guest wrote a byte on its console. */
  #written(name: UartName, byte: number, vcpu: Vcpu): void {
    this.#line.vcpu = vcpu;
    this.watcher.written?.(name, byte);
    const console = this.consoles.screen(name);
    console.write(byte);
    if (this.#shown === name) this.#paint();
    else console.terminal.screen.scrolled = "none";
  }

  #paint(isAll = false): void {
    if (this.#shown === "gdb") return;
    const console = this.consoles.screen(this.#shown);
    this.terminal.paint(console, isAll);
    this.watcher.painted?.(console, isAll);
  }

  show(console: ConsoleName): void {
    this.#switchTo(console, "operator");
  }

  encode(encoding: Encoding): void {
    this.terminal.encoding = encoding;
    this.attach(false);
  }

  resize({ columns, rows }: SerialConsolesOptions["size"]): void {
    this.consoles.resize(columns, rows);
    this.attach(false);
  }

  #switchTo(to: ConsoleName, by: "key" | "operator"): void {
    const from = this.#shown;
    this.#switches++;
    this.monitor.site.events.emit("consoleSwitched", this.#line.vcpu.index, { from, to, by });
    this.#shown = to;
    if (to === "gdb") {
      this.#deadlines.wait("refresh", undefined);
      if (from !== "gdb") this.stub.enter(this.#line.vcpu);
      return;
    }
    if (to === "status") this.#drawStatus();
    else this.#deadlines.wait("refresh", undefined);
    if (from !== "gdb") return this.#paint(true);
    this.stub.leave(this.#line.vcpu);
    this.attach(false);
  }

  attach(identifies: boolean): void {
    const { columns, rows } = this.consoles.screen("shell").terminal.screen;
    const shown = this.#shown, { name: terminal, encoding } = this.terminal;
    this.monitor.site.events.emit("consoleAttached", this.#line.vcpu.index, {
      console: shown,
      terminal,
      encoding,
    });
    this.terminal.attach(columns, rows);
    if (shown === "status") this.#drawStatus();
    else this.#paint(true);
    if (!identifies) return;
    this.#line.send(this.#identification.begin());
    this.#deadlines.wait("identification", this.options.timeout);
  }

  /** The terminal answered, or the time for that is over. */
  #identified(): void {
    this.#deadlines.wait("identification", undefined);
    const { identity, held } = this.#identification.end();
    this.terminal.identified(identity);
    for (const byte of held) this.#keyed(byte);
    if (this.#shown !== "gdb") this.attach(false);
  }

  #drawStatus(): void {
    const status = this.consoles.screen("status"), { site } = this.monitor;
    const text = statusText({
      columns: status.terminal.screen.columns,
      rows: status.terminal.screen.rows,
      virtualTime: site.clock.now,
      instant: site.clock.instant,
      memory: this.monitor.space.ram.size,
      cpuModel: site.board.configuration.cpuModel,
      cpus: site.cpus.map(({ on, waiting, index }) => ({
        state: !on ? "off" : this.stub.isHeld ? "held" : waiting === "none" ? "runs" : "waits",
        exits: this.exits[index] ?? 0,
      })),
      consoles: this.consoles.status,
      terminal: this.terminal.name,
      encoding: this.terminal.encoding,
      sent: this.#line.sent,
      received: this.#line.received,
      switches: this.#switches,
    });
    for (const byte of new TextEncoder().encode(text)) status.write(byte);
    if (this.#shown !== "status") return;
    this.#paint(true);
    this.#deadlines.wait("refresh", this.options.refresh);
  }

  /** Something was waited for long enough. */
  #due(what: Deadline): void {
    if (what === "escape") { for (const byte of this.#escape.expire()) this.#type(this.#shown, byte); }
    else if (what === "identification") this.#identified();
    else this.#drawStatus();
  }

  /** Power-on: all consoles are blank. */
  reset(): void {
    this.consoles.reset();
    this.terminal.reset();
    this.#escape.reset();
    this.#identification.reset();
    this.stub.reset();
    this.#isUp = false;
    this.#shown = this.options.start;
    this.#deadlines.reset();
    this.#line.sent = this.#line.received = this.#switches = 0;
    this.exits = this.monitor.site.cpus.map(() => 0);
  }

  /** The state. */
  save(): Omit<ConsolesState, "commands"> {
    return {
      isUp: this.#isUp,
      shown: this.#shown,
      ...this.consoles.save(),
      ...this.terminal.save(),
      escape: this.#escape.save(),
      identification: this.#identification.save(),
      stub: this.stub.save(),
      deadlines: this.#deadlines.save(),
      counters: { sent: this.#line.sent, received: this.#line.received, switches: this.#switches },
      exits: [...this.exits],
    };
  }

  /** Restores what `save` gave. */
  restore(state: Omit<ConsolesState, "commands">): void {
    this.#isUp = state.isUp;
    this.#shown = state.shown;
    this.consoles.restore(state);
    this.terminal.restore(state);
    this.#escape.restore(state.escape);
    this.#identification.restore(state.identification);
    this.stub.restore(state.stub);
    this.#deadlines.restore(state.deadlines);
    ({ sent: this.#line.sent, received: this.#line.received, switches: this.#switches } = state.counters);
    this.exits = [...state.exits];
  }
}
