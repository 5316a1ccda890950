/** A world of three nodes for tests: two machines that play ping-pong over a network, and a program that types and cuts the power. */
import { createHash } from "node:crypto";
import { assembleProgram } from "../../machine/a64/program.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { parseWorld, type WorldDescription } from "../../world/description.ts";

/** A virtio network card in the last slot: queue 0 receives into x23, queue 1 sends from x28. */
const DRIVER = `
        .equ    NET, 0x0a003e00
        .equ    UART, 0x09000000
        .equ    GICD, 0x08000000
        .equ    GICC, 0x08010000
        .equ    FRAME, 60
start:  ldr     x19, =UART
        ldr     x20, =NET
        ldr     x21, =0x40200000                // receiving: descriptors, then at 0x1000 available, at 0x2000 used
        ldr     x22, =0x40210000                // sending
        ldr     x23, =0x40220000
        ldr     x28, =0x40230000
        ldr     x0, =GICD
        mov     w1, #1
        str     w1, [x0]
        mov     w1, #0x08000000
        str     w1, [x0, #0x100]                // the virtual timer's interrupt 27
        ldr     x0, =GICC
        mov     w1, #1
        str     w1, [x0]
        mov     w1, #0xff
        str     w1, [x0, #4]
        str     wzr, [x20, #0x70]
        mov     w0, #3
        str     w0, [x20, #0x70]                // ACKNOWLEDGE, DRIVER
        mov     w0, #1
        str     w0, [x20, #0x24]
        str     w0, [x20, #0x20]                // VERSION_1
        str     wzr, [x20, #0x24]
        str     wzr, [x20, #0x20]
        mov     w0, #11
        str     w0, [x20, #0x70]                // FEATURES_OK
        mov     w0, #0
        mov     x1, x21
        bl      queue
        mov     w0, #1
        mov     x1, x22
        bl      queue
        mov     w0, #15
        str     w0, [x20, #0x70]                // DRIVER_OK
        str     x23, [x21]
        str     x28, [x22]
        mov     w0, #2048
        str     w0, [x21, #8]
        mov     w0, #(12 + FRAME)
        str     w0, [x22, #8]
        mov     w0, #2
        strh    w0, [x21, #12]                  // the card writes
        mov     w0, #0xff
        strb    w0, [x28, #12]                  // to some other card
        mov     w24, #0                         // sent
        mov     w27, #0                         // receptions asked for
        bl      listen
        b       main
queue:  str     w0, [x20, #0x30]
        mov     w2, #4
        str     w2, [x20, #0x38]
        str     w1, [x20, #0x80]
        str     wzr, [x20, #0x84]
        add     w2, w1, #1, lsl #12
        str     w2, [x20, #0x90]
        str     wzr, [x20, #0x94]
        add     w2, w1, #2, lsl #12
        str     w2, [x20, #0xa0]
        str     wzr, [x20, #0xa4]
        mov     w2, #1
        str     w2, [x20, #0x44]
        ret
listen: add     w27, w27, #1
        add     x8, x21, #1, lsl #12
        strh    w27, [x8, #2]
        dsb     sy
        str     wzr, [x20, #0x50]
        ret
send:   strb    w26, [x28, #26]                 // w26: the frame's first byte behind the header
        add     w24, w24, #1
        add     x8, x22, #1, lsl #12
        strh    w24, [x8, #2]
        dsb     sy
        mov     w0, #1
        str     w0, [x20, #0x50]
        ret
received:                                       // w0: the byte of a frame that came, or 0
        add     x8, x21, #2, lsl #12
        ldrh    w2, [x8, #2]
        mov     w0, #0
        cmp     w2, w27
        b.ne    1f
        ldrb    w0, [x23, #26]
1:      ret
sleep:  mov     x0, #1250                       // 20 µs
        msr     CNTV_TVAL_EL0, x0
        mov     x0, #1
        msr     CNTV_CTL_EL0, x0
1:      wfi
        mrs     x0, CNTV_CTL_EL0
        tbz     x0, #2, 1b
        msr     CNTV_CTL_EL0, xzr
        ret
`;

/** Sends letters, writes those that come back, and `-` for one that does not within 600 µs; echoes keys; ends after `ROUNDS`. */
const PING = `${DRIVER}
        .equ    ROUNDS, 12
main:   mov     w26, #'a'
again:  bl      send
        mov     w25, #30
1:      bl      sleep
        ldr     w0, [x19, #0x18]
        tbnz    w0, #4, 2f                      // no key
        ldr     w0, [x19]
        str     w0, [x19]
2:      bl      received
        cbnz    w0, 3f
        subs    w25, w25, #1
        b.ne    1b
        mov     w0, #'-'
        str     w0, [x19]
        b       4f
3:      str     w0, [x19]
        bl      listen
4:      add     w26, w26, #1
        cmp     w26, #('a' + ROUNDS)
        b.ne    again
        ldr     x0, =0x84000008
        hvc     #0
`;

/** Says `r`, then sends back whatever comes, as a capital, after some work. */
const PONG = `${DRIVER}
main:   mov     w0, #'r'
        str     w0, [x19]
again:  bl      sleep
        bl      received
        cbz     w0, again
        mov     w1, #200
1:      subs    w1, w1, #1
        b.ne    1b
        sub     w26, w0, #32
        bl      listen
        bl      send
        b       again
`;

function guest(source: string) {
  const { bytes } = assembleProgram(source, { name: "guest", base: 0x40080000n });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { bytes, reference: { sha256, size: bytes.length, name: "guest" } };
}

const ping = guest(PING), pong = guest(PONG);

/** The images of both machines. */
export const PING_PONG_IMAGES: MachineImages = new Map([ping, pong].map((
  { bytes, reference },
) => [reference.sha256, bytes]));

function machine(name: string, kernel: { sha256: string; size: number; name: string }) {
  const card = { driver: "virtio-net-device", netdev: "n0" };
  const configuration = {
    ...{ memoryMiB: 16, virtioMmioLegacy: false, rootInterval: 50_000 },
    ...{ networks: [{ kind: "bridge", id: "n0" }], devices: [card], boot: { kernel } },
  };
  return { kind: "machine", name, configuration };
}

/** The world, as a file would describe it. */
export function pingPong(more: Record<string, unknown> = {}): WorldDescription {
  const sends = [
    { at: 700_000, port: "keys", text: "!" },
    { at: 300_000, port: "switch", text: "off" },
    { at: 600_000, port: "switch", text: "on" },
  ];
  return parseWorld({
    nodes: [
      machine("ping", ping.reference),
      machine("pong", pong.reference),
      { kind: "program", name: "clock", program: "clockwork", options: { sends } },
    ],
    links: [
      {
        ...{ name: "cable", kind: "network", latency: 30_000 },
        ends: [{ node: "ping", port: "n0" }, { node: "pong", port: "n0" }],
      },
      {
        ...{ name: "line", kind: "serial", latency: 50_000 },
        ends: [{ node: "ping", port: "console" }, { node: "clock", port: "keys" }],
      },
      {
        ...{ name: "relay", kind: "power", latency: 100_000 },
        ends: [{ node: "clock", port: "switch" }, { node: "pong", port: "power" }],
      },
    ],
    rootInterval: 500_000,
    ...more,
  });
}
