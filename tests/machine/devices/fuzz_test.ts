/** Random accesses of any size to any register, inputs and time between them: no host exception, and sections that fit. */
import { assertEquals } from "@std/assert";
import { Clock } from "../../../machine/clock.ts";
import type { Device } from "../../../machine/devices/device.ts";
import { GpioPl061 } from "../../../machine/devices/gpio_pl061.ts";
import { RtcPl031 } from "../../../machine/devices/rtc_pl031.ts";
import { UartPl011 } from "../../../machine/devices/uart_pl011.ts";
import { randomNumbers } from "../a64/random_words.ts";
import { by, Wire } from "./support.ts";

const ACCESSES = 100_000;

interface Target {
  readonly device: Device;
  /** Something from outside, chosen by a random number. */
  readonly disturb: (number: number) => void;
}

// deno-fmt-ignore
const TARGETS: Readonly<Record<string, (clock: Clock) => Target>> = {
  UartPl011: () => {
    const device = new UartPl011({ name: "uart", line: new Wire(), transmitted: () => {} });
    return { device, disturb: (number) => device.receive(new Uint8Array(number % 5)) };
  },
  RtcPl031: (clock) => {
    const device = new RtcPl031({ name: "rtc", line: new Wire(), clock, base: 0xffff_fff0 });
    return { device, disturb: () => {} };
  },
  GpioPl061: () => {
    const device = new GpioPl061({ name: "gpio", line: new Wire() });
    return { device, disturb: (number) => device.drive(number & 7, (number & 8) !== 0) };
  },
};

for (const [name, build] of Object.entries(TARGETS)) {
  Deno.test(`${name} bears ${ACCESSES} random accesses`, () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
    const next = randomNumbers(seed), clock = new Clock();
    const { device, disturb } = build(clock), other = build(new Clock()).device;
    const registers = [0, 0x3c, 0x400, 0x424, 0xfe0, 0xffc];
    for (let index = 0; index < ACCESSES; index++) {
      const kind = next() >>> 8, size = [1, 2, 4][kind % 3] as number;
      const base = kind & 64
        ? next() & 0xfff
        : (registers[kind % registers.length] as number) + (next() & 0x3c);
      const offset = base & 0xfff & -size, context = by(kind & 3, (kind & 4) !== 0);
      if ((kind & 0x70) === 0) disturb(next() >>> 3);
      if ((kind & 0x380) === 0) clock.skipTo(clock.now + next() % 3_000_000_000);
      clock.serveAlarms();
      if ((kind & 8) === 0) {
        device.write(offset, size, next() >>> 0 & (size === 4 ? -1 : (1 << 8 * size) - 1), context);
      } else {
        const value = device.read(offset, size, context);
        const isRight = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size);
        assertEquals(isRight, true, `seed ${seed}, access ${index}: ${value} from 0x${offset.toString(16)}`);
      }
      if (index % 10_000 === 0) {
        other.restore(device.save());
        assertEquals(other.save(), device.save(), `seed ${seed}, access ${index}`);
      }
    }
  });
}
