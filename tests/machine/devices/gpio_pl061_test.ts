/** The GPIO, register by register, and the keys on its lines; the trace of QEMU's is in trace_test.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { Clock } from "../../../machine/clock.ts";
import { GpioKey, KEY_DOWN_NANOSECONDS } from "../../../machine/devices/gpio_key.ts";
import { GpioPl061 } from "../../../machine/devices/gpio_pl061.ts";
import { InputRefusedError } from "../../../machine/errors.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { assertRoundTrip, registersOf, Wire } from "./support.ts";

const DATA = 0x3fc, DIR = 0x400, IS = 0x404, IBE = 0x408, IEV = 0x40c, IE = 0x410, RIS = 0x414, MIS = 0x418;
const IC = 0x41c, AFSEL = 0x420;

function build() {
  const line = new Wire();
  const outputs: string[] = [];
  const gpio = new GpioPl061({
    name: "gpio",
    line,
    driven: (line, level) => void outputs.push(`${line}=${level}`),
  });
  return { gpio, line, outputs, ...registersOf(gpio) };
}

Deno.test("GpioPl061.GPIODATA shows and changes the lines that its address names", () => {
  const { gpio, read, write, outputs } = build();
  write(DIR, 0x0f);
  write(4 * 0x05, 0xff);
  assertEquals([read(DATA), read(4 * 0x01), read(4 * 0x02)], [5, 1, 0]);
  gpio.drive(7, true);
  gpio.drive(0, false);
  assertEquals(read(DATA), 0x85);
  assertEquals(outputs, ["0=true", "2=true"]);
});

Deno.test("GpioPl061 interrupts on the edges and levels that IS, IBE and IEV choose", () => {
  // deno-fmt-ignore
  const cases: [name: string, is: number, ibe: number, iev: number, levels: boolean[], raised: number[]][] = [
    ["falling", 0, 0, 0, [true, false], [0, 8]], ["rising", 0, 0, 8, [true, false], [8, 8]],
    ["both", 0, 8, 0, [true, false], [8, 8]], ["high", 8, 0, 8, [true, false], [8, 8]],
  ];
  for (const [name, is, ibe, iev, levels, raised] of cases) {
    const { gpio, read, write } = build();
    for (const [offset, value] of [[IS, is], [IBE, ibe], [IEV, iev], [IC, 0xff]] as const) {
      write(offset, value);
    }
    const seen = levels.map((level) => {
      gpio.drive(3, level);
      return read(RIS) & 8;
    });
    assertEquals(seen, raised, name);
  }
});

Deno.test("GpioPl061.GPIOIE lets interrupts out, GPIOIC clears edges but not levels that last", () => {
  const { gpio, line, read, write } = build();
  write(IEV, 0x18);
  write(IS, 0x10);
  gpio.drive(3, true);
  gpio.drive(4, true);
  assertEquals([read(RIS), read(MIS), line.level], [0x18, 0, false]);
  write(IE, 0x18);
  assertEquals([read(MIS), line.level], [0x18, true]);
  write(IC, 0xff);
  assertEquals([read(RIS), line.level], [0x10, true]);
  gpio.drive(4, false);
  write(IC, 0xff);
  assertEquals([read(RIS), line.level], [0, false]);
});

Deno.test("GpioPl061 keeps registers and lines in its section", () => {
  const { gpio, read, write } = build();
  for (const offset of [DIR, IS, IBE, IEV, IE, AFSEL]) write(offset, 0x5a + offset & 0xff);
  gpio.drive(0, true);
  assertRoundTrip(gpio, build().gpio);
  assertEquals(read(AFSEL), 0x5a + AFSEL & 0xff);
});

Deno.test("GpioKey is down for 100 ms, and longer when it is pressed again", () => {
  const clock = new Clock(), levels: string[] = [];
  const key = new GpioKey("key", clock, (level) => void levels.push(`${clock.now} ${level}`));
  const pass = (nanoseconds: number) => {
    clock.skipTo(clock.now + nanoseconds);
    clock.serveAlarms();
  };
  key.press();
  pass(60_000_000);
  key.press();
  pass(60_000_000);
  pass(40_000_000);
  assertEquals(levels, ["0 true", "60000000 true", `${60_000_000 + KEY_DOWN_NANOSECONDS} false`]);
});

/** Waits for the power key's interrupt, counts the edges of both, and turns itself off when the key is up again. */
const listener = flatGuest(`
        movz    x1, #0x0800, lsl #16
        mov     w2, #1
        str     w2, [x1]
        mov     w2, #0x80               // interrupt 39
        str     w2, [x1, #0x104]
        mov     w2, #1
        strb    w2, [x1, #0x827]
        movz    x3, #0x0801, lsl #16
        mov     w2, #1
        str     w2, [x3]
        mov     w2, #0xff
        str     w2, [x3, #4]
        movz    x4, #0x0903, lsl #16
        mov     w2, #8
        str     w2, [x4, #0x408]
        str     w2, [x4, #0x410]
        mov     x20, #0
1:      wfi
        ldr     w5, [x3, #0xc]
        str     w2, [x4, #0x41c]
        str     w5, [x3, #0x10]
        add     x20, x20, #1
        ldr     w6, [x4, #0x20]
        cbnz    w6, 1b
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
`);

function power(more: ConfigurationInput = {}): Machine {
  return new Machine(listener.configuration(more), listener.images);
}

Deno.test("the power key wakes a guest that listens, and comes up by itself", () => {
  const machine = power();
  assertEquals(machine.run(1000).reason, "resting");
  const { virtualTime } = machine.submit({ kind: "powerButtonPressed" });
  assertEquals(machine.run(1000).reason, "poweredOff");
  assertEquals(machine.board.cpus[0]?.registers.x(20), 2n);
  assertEquals(machine.virtualTime - virtualTime > KEY_DOWN_NANOSECONDS, true);
});

Deno.test("a key that is down survives a snapshot", () => {
  const before = power(), after = power();
  before.run(1000);
  before.submit({ kind: "powerButtonPressed" });
  before.run(before.instant + 3);
  after.restore(before.snapshot());
  for (const machine of [before, after]) assertEquals(machine.run(1000).reason, "poweredOff");
  assertEquals(after.stateRoot(), before.stateRoot());
});

Deno.test("Machine.submit refuses the power key of a machine with firmware, which has none", () => {
  const bytes = new Uint8Array(4096),
    sha256 = "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7";
  const images = new Map([...listener.images, [sha256, bytes] as const]);
  const { boot } = listener.configuration();
  const configuration = {
    ...listener.configuration(),
    boot: { ...boot, bios: { sha256, size: 4096, name: "bios" } },
  };
  const machine = new Machine(configuration, images);
  assertThrows(() => machine.submit({ kind: "powerButtonPressed" }), InputRefusedError, "no power key");
});

/** Secure software turns the machine off by a line of its GPIO. */
const secureOff = flatGuest(`
        movz    x4, #0x090b, lsl #16
        mov     w2, #3
        str     w2, [x4, #0x400]
        mov     w2, #1
        str     w2, [x4, #0x3fc]
        b       .
`);

Deno.test("a line of the Secure GPIO turns the machine off, for Secure software alone", () => {
  const { images, program } = secureOff;
  const [sha256] = [...images.keys()];
  const image = { sha256: sha256 as string, size: program.bytes.length, name: "off" };
  for (const secure of [true, false]) {
    const loader = { kind: "image" as const, image, address: 0x4100_0000, forceRaw: true, cpu: 0 };
    const configuration = {
      ...secureOff.configuration({ secure }),
      boot: { ...secureOff.configuration().boot, kernel: undefined, loaders: [loader] },
    };
    const machine = new Machine(configuration, images);
    assertEquals(machine.run(1000).reason, secure ? "poweredOff" : "limit");
  }
});
