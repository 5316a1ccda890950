/** The UART against QEMU's, register by register. */
import { assertEquals } from "@std/assert";
import { UartPl011 } from "../../../machine/devices/uart_pl011.ts";
import { assertRoundTrip, registersOf, Wire } from "./support.ts";

const DR = 0x00, RSR = 0x04, FR = 0x18, LCR_H = 0x2c, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44;
const FEN = 0x10, TX = 0x20, RX = 0x10;

function build() {
  const line = new Wire();
  const sent: number[] = [];
  const uart = new UartPl011({ name: "uart0", line, transmitted: (byte) => sent.push(byte) });
  const receive = (text: string) => uart.receive(new TextEncoder().encode(text));
  return { uart, line, sent, receive, ...registersOf(uart) };
}

/** Reset values read on QEMU 7.2, and the bits that a register holds (Arm DDI 0183G, table 3-1). */
// deno-fmt-ignore
const REGISTERS: readonly [string, number, number, number][] = [
  // name           offset reset  writable
  ["UARTRSR",       0x004, 0x000, 0],
  ["UARTFR",        0x018, 0x090, 0],
  ["UARTILPR",      0x020, 0x000, 0xff],
  ["UARTIBRD",      0x024, 0x000, 0xffff],
  ["UARTFBRD",      0x028, 0x000, 0x3f],
  ["UARTLCR_H",     0x02c, 0x000, 0xff],
  ["UARTCR",        0x030, 0x300, 0xffff],
  ["UARTIFLS",      0x034, 0x012, 0x3f],
  ["UARTIMSC",      0x038, 0x000, 0x7ff],
  ["UARTRIS",       0x03c, 0x000, 0],
  ["UARTMIS",       0x040, 0x000, 0],
  ["UARTICR",       0x044, 0x000, 0],
  ["UARTDMACR",     0x048, 0x000, 0x7],
  ["UARTPeriphID0", 0xfe0, 0x011, 0],
  ["UARTPeriphID1", 0xfe4, 0x010, 0],
  ["UARTPeriphID2", 0xfe8, 0x014, 0],
  ["UARTPeriphID3", 0xfec, 0x000, 0],
  ["UARTPCellID0",  0xff0, 0x00d, 0],
  ["UARTPCellID1",  0xff4, 0x0f0, 0],
  ["UARTPCellID2",  0xff8, 0x005, 0],
  ["UARTPCellID3",  0xffc, 0x0b1, 0],
  ["(reserved)",    0x04c, 0x000, 0],
];

for (const [name, offset, reset, writable] of REGISTERS) {
  Deno.test(`UartPl011.${name} has its reset value and holds the bits it has`, () => {
    const { uart, read, write } = build();
    assertEquals(read(offset), reset);
    write(offset, 0xffff_ffff);
    assertEquals(read(offset), writable === 0 ? reset : writable);
    uart.reset();
    assertEquals(read(offset), reset);
  });
}

Deno.test("UartPl011.UARTDR transmits at once, one byte per write of any size", () => {
  const { read, write, sent } = build();
  write(DR, 0x141, 4);
  write(DR, 0x42, 1);
  assertEquals(sent, [0x41, 0x42]);
  assertEquals([read(FR), read(RIS)], [0x90, TX]);
});

Deno.test("UartPl011.UARTDR gives received bytes in order and lowers the interrupt with the last", () => {
  const { read, write, line, receive } = build();
  write(LCR_H, FEN);
  write(IMSC, RX);
  receive("ab");
  assertEquals([read(RIS), read(MIS), line.level, read(FR)], [RX, RX, true, 0x80]);
  assertEquals([read(DR), line.level], [0x61, true]);
  assertEquals([read(DR), line.level], [0x62, false]);
  assertEquals([read(DR), read(RSR), read(FR)], [0, 0, 0x90]);
});

Deno.test("UartPl011.UARTFR shows a full FIFO after 16 bytes, after one with FIFOs off; no byte is lost", () => {
  const { read, write, receive } = build();
  receive("x");
  assertEquals(read(FR), 0xc0);
  read(DR);
  write(LCR_H, FEN);
  receive("0123456789abcde");
  assertEquals(read(FR), 0x80);
  receive("fghi");
  assertEquals(read(FR), 0xc0);
  const text = Array.from({ length: 19 }, () => String.fromCharCode(read(DR))).join("");
  assertEquals([text, read(FR)], ["0123456789abcdefghi", 0x90]);
});

Deno.test("UartPl011.UARTLCR_H flushes the FIFO when FEN changes, and takes waiting input after that", () => {
  const { read, write, receive } = build();
  receive("abc");
  write(LCR_H, FEN);
  assertEquals([read(DR), read(DR), read(FR)], [0x62, 0x63, 0x90]);
  receive("d");
  write(LCR_H, FEN | 0x60);
  assertEquals(read(DR), 0x64);
});

Deno.test("UartPl011.UARTICR clears raw interrupts, which a further byte behind the first does not raise again", () => {
  const { read, write, receive } = build();
  write(LCR_H, FEN);
  receive("a");
  write(DR, 0x41);
  write(ICR, RX | TX);
  receive("b");
  assertEquals(read(RIS), 0);
});

Deno.test("UartPl011.UARTIMSC drives the line from either interrupt", () => {
  const { write, line } = build();
  write(DR, 0x41);
  assertEquals(line.level, false);
  write(IMSC, TX);
  assertEquals(line.level, true);
  write(ICR, TX);
  assertEquals(line.level, false);
});

Deno.test("UartPl011 takes accesses to parts of a register", () => {
  const { read, write } = build();
  write(0x24, 0x1234, 2);
  write(0x25, 0xab, 1);
  assertEquals([read(0x24), read(0x24, 1), read(0x25, 1), read(0x26, 2)], [0xab34, 0x34, 0xab, 0]);
});

Deno.test("UartPl011 restores registers, FIFO and waiting input", () => {
  const { uart, read, write, receive } = build();
  write(LCR_H, FEN);
  write(IMSC, RX);
  receive("0123456789abcdefXYZ");
  read(DR);
  const { uart: other, line, read: readOther } = build();
  assertRoundTrip(uart, other);
  assertEquals(line.level, true);
  const text = Array.from({ length: 18 }, () => String.fromCharCode(readOther(DR))).join("");
  assertEquals(text, "123456789abcdefXYZ");
});
