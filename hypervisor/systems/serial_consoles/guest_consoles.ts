/** The consoles that have a screen: who writes on them and is typed at, by a UART in two cases, and what is shown there. */
import { type BoardRow, SPI_BASE } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Vcpu } from "../../vcpu.ts";
import { GuestUart } from "./guest_uart.ts";
import type { SerialConsolesOptions } from "./options.ts";
import { type ConsolesState, SCREENS } from "./section.ts";
import type { ConsoleStatus } from "./status_screen.ts";
import { VirtualConsole } from "./virtual_console.ts";

/** A console with a screen. */
export type ScreenName = (typeof SCREENS)[number];
/** The guest's ports by their consoles. */
const UARTS = { shell: "uart0", log: "uart1" } as const;
/** A console that the guest has. */
export type UartName = keyof typeof UARTS;

/** What comes of what the guest does on its ports, and a terminal by itself. */
export interface ConsoleUser {
  /** The guest wrote a byte; `vcpu` is in the handler. */
  written(console: UartName, byte: number, vcpu: Vcpu): void;
  /** Its owner is gone, or is there again. */
  listens(console: UartName, vcpu: Vcpu): void;
  /** A console's terminal answers a byte to who writes on it. */
  answered(console: ScreenName, byte: number): void;
  /** It rings. */
  rung(console: ScreenName): void;
}

/** The consoles with a screen. */
export class GuestConsoles {
  readonly #monitor: El2Monitor;
  readonly #options: SerialConsolesOptions;
  readonly #user: ConsoleUser;
  readonly #uarts: Readonly<Record<UartName, GuestUart>>;
  readonly #screens: Readonly<Record<ScreenName, VirtualConsole>>;

  /** Puts the ports where the guest finds them. */
  constructor(monitor: El2Monitor, options: SerialConsolesOptions, user: ConsoleUser) {
    this.#monitor = monitor;
    this.#options = options;
    this.#user = user;
    this.#uarts = { shell: this.#buildUart("shell"), log: this.#buildUart("log") };
    this.#screens = {
      log: this.#buildScreen("log"),
      shell: this.#buildScreen("shell"),
      status: this.#buildScreen("status"),
    };
  }

  #buildUart(console: UartName): GuestUart {
    const monitor = this.#monitor, user = this.#user;
    const row = monitor.site.board.rows.find(({ name }) => name === UARTS[console]) as BoardRow;
    const on = (cpu: number): Cpu => monitor.site.cpus[cpu] as Cpu;
    const uart = new GuestUart({
      name: `v${row.name}`,
      backlog: this.#options.backlog,
      transmitted: (byte, cpu) => user.written(console, byte, monitor.vcpu(on(cpu))),
      driven: (level, cpu) => monitor.gic.drive(on(cpu), SPI_BASE + (row.spi ?? 0), level),
      listens: (_isListening, cpu) => user.listens(console, monitor.vcpu(on(cpu))),
    });
    monitor.space.emulate(row.base, row.size, uart);
    return uart;
  }

  #buildScreen(name: ScreenName): VirtualConsole {
    const { size: { columns, rows }, charset } = this.#options;
    return new VirtualConsole(name, {
      columns,
      rows,
      isUtf8: charset === "utf-8",
      answered: (answer) => {
        for (const character of answer) this.#user.answered(name, character.charCodeAt(0));
      },
      rung: () => this.#user.rung(name),
    }, () => name !== "status" && this.#uarts[name].isAbandoned);
  }

  /** A console by name. */
  screen(name: ScreenName): VirtualConsole {
    return this.#screens[name];
  }

  /** A byte for the guest comes in at a port of it. */
  receive(name: UartName, byte: number, vcpu: Vcpu): void {
    this.#uarts[name].receive(byte, vcpu.index);
  }

  /** All have another size. */
  resize(columns: number, rows: number): void {
    for (const { terminal } of Object.values(this.#screens)) terminal.screen.resize(columns, rows);
  }

  /** What the status screen says of them. */
  get status(): ConsoleStatus[] {
    return SCREENS.map((name) => ({
      name,
      owner: name === "status" ? "here" : this.#uarts[name].isAbandoned ? "gone" : "guest",
      written: this.#screens[name].written,
      typed: this.#screens[name].typed,
      overruns: name === "status" ? 0 : this.#uarts[name].overruns,
    }));
  }

  /** Power-on: all are blank. */
  reset(): void {
    const { size: { columns, rows }, charset } = this.#options;
    for (const uart of Object.values(this.#uarts)) uart.reset();
    for (const screen of Object.values(this.#screens)) screen.reset(columns, rows, charset === "utf-8");
  }

  /** The state. */
  save(): Pick<ConsolesState, "consoles" | "uarts"> {
    return {
      consoles: SCREENS.map((name) => this.#screens[name].save()),
      uarts: [this.#uarts.shell.save(), this.#uarts.log.save()],
    };
  }

  /** Restores what `save` gave. */
  restore({ consoles, uarts }: Pick<ConsolesState, "consoles" | "uarts">): void {
    for (const [index, name] of SCREENS.entries()) this.#screens[name].restore(consoles[index]!);
    this.#uarts.shell.restore(uarts[0]!);
    this.#uarts.log.restore(uarts[1]!);
  }
}
