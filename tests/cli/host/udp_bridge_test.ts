/** Tests of the bridge to the host's network: a peer on the loopback, a guest with a network card, and a replay without. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createSocket, type Socket } from "node:dgram";
import { CommandError } from "../../../cli/errors.ts";
import { processHost } from "../../../cli/host/host.ts";
import { UdpBridges } from "../../../cli/host/udp_bridge.ts";
import { main } from "../../../cli/main.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { FakeHost, hindsight, TestFolder } from "../support.ts";

/** A driver of the virtio network card in the last slot: says `r`, sends frames back, and powers off after one with `q`. */
const ECHO = `
        .equ    NET, 0x0a003e00
        .equ    HEADER, 12
start:  ldr     x20, =NET
        ldr     x21, =0x40200000                // receiving: descriptors, then at 0x1000 available, at 0x2000 used
        ldr     x22, =0x40210000                // sending
        ldr     x23, =0x40220000                // the one buffer
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
        str     x23, [x22]
        mov     w0, #2048
        str     w0, [x21, #8]
        mov     w0, #2
        strh    w0, [x21, #12]                  // the card writes
        mov     w24, #0                         // frames so far
        ldr     x0, =0x09000000
        mov     w1, #'r'
        str     w1, [x0]
again:  add     w24, w24, #1
        mov     x1, x21
        mov     w0, #0
        bl      offer
        ldr     w25, [x9, #8]                   // length with the header
        str     w25, [x22, #8]
        str     xzr, [x23]                      // a header of zeros
        str     wzr, [x23, #8]
        ldrb    w26, [x23, #(HEADER + 14)]
        mov     x1, x22
        mov     w0, #1
        bl      offer
        cmp     w26, #'q'
        b.ne    again
        ldr     x0, =0x84000008
        hvc     #0
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
offer:  add     x8, x1, #1, lsl #12                 // descriptor 0 is available, time number w24; x9: its used element
        strh    w24, [x8, #2]
        dsb     sy
        str     w0, [x20, #0x50]
        add     x8, x1, #2, lsl #12
1:      ldrh    w2, [x8, #2]
        cmp     w2, w24
        b.ne    1b
        sub     w2, w24, #1
        and     w2, w2, #3
        add     x9, x8, x2, lsl #3
        ret
`;

/** A frame with a text after its header. */
function frame(text: string): Uint8Array {
  const header = [0x52, 0x54, 0, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
  return Uint8Array.from([...header, ...new TextEncoder().encode(text.padEnd(46, "\0"))]);
}

/** Real time for what waits. */
class PatientHost extends FakeHost {
  override now = () => processHost.now();
  override breathe = () => processHost.breathe();
  override sleep = (milliseconds: number, until: AbortSignal) => processHost.sleep(milliseconds, until);
}

async function peer(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", () => resolve()));
  return { socket, port: socket.address().port };
}

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const { socket, port } = await peer();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

Deno.test("record lets frames in and out over UDP, and the replay needs no network", async () => {
  using folder = new TestFolder();
  const kernel = folder.write("echo.bin", assembleProgram(ECHO, { name: "echo", base: 0x40080000n }).bytes);
  const { socket, port } = await peer();
  const local = await freePort();
  const wanted = ["first", "second", "q and done"];
  const received: Uint8Array[] = [];
  const send = (text: string) => socket.send(frame(text), local, "127.0.0.1");
  socket.on("message", (bytes: Uint8Array) => {
    received.push(Uint8Array.from(bytes));
    const next = wanted[received.length];
    if (next !== undefined) send(next);
  });
  const host = new PatientHost();
  const run = main([
    ...["record", "-kernel", kernel, "-m", "8", "-o", folder.path("net")],
    ...["-global", "virtio-mmio.force-legacy=off", "-device", "virtio-net-device,netdev=n0"],
    ...["-netdev", `socket,id=n0,udp=127.0.0.1:${port},localaddr=127.0.0.1:${local}`, "--depth", "traps"],
    ...["--until", "2000000000"],
  ], host);
  // Too short for a frame, and too long: lost on the way.
  const knock = setInterval(() => {
    if (!host.out.includes("r")) return;
    clearInterval(knock);
    socket.send(Uint8Array.of(1, 2, 3), local, "127.0.0.1");
    socket.send(new Uint8Array(3000), local, "127.0.0.1");
    send(wanted[0]!);
  }, 5);
  const code = await run;
  clearInterval(knock);
  for (let waited = 0; waited < 100 && received.length < wanted.length; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  assertEquals(code, 0, host.err);
  assertStringIncludes(host.err, "the guest powered off");
  assertEquals(received, wanted.map(frame));
  const { out } = await hindsight(["events", folder.path("net"), "--kind", "networkFrameReceived", "--json"]);
  const events = out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(events.map(({ network }) => network), ["n0", "n0", "n0"]);
  const replayed = await hindsight(["verify", folder.path("net")]);
  assertStringIncludes(replayed.out, "Sound");
});

Deno.test("UdpBridges drops what the machine does not take, and sends nothing of other networks", async () => {
  const { socket, port } = await peer();
  const local = { host: "127.0.0.1", port: 0 }, remote = { host: "127.0.0.1", port };
  const bridges = (await UdpBridges.open([{ kind: "bridge", id: "n0", local, remote }]))!;
  const heard: Uint8Array[] = [];
  socket.on("message", (bytes: Uint8Array) => heard.push(bytes));
  let calls = 0;
  bridges.listen(() => calls++);
  const common = { kind: "networkFrameTransmitted", instant: 0, cpu: 0, index: 0 } as const;
  bridges.observe({ ...common, network: "other", bytes: frame("no") });
  bridges.observe({ ...common, network: "n0", bytes: frame("yes") });
  for (let sent = 0; sent < 300; sent++) {
    socket.send(frame(String(sent)), bridges.ports.get("n0")!, "127.0.0.1");
    if (sent % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (let waited = 0; waited < 200 && (bridges.dropped === 0 || heard.length === 0); waited++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals(heard.map((bytes) => bytes.length), [60]);
  assertEquals(bridges.take().length, 256);
  assert(bridges.dropped > 0 && calls === 256, `${bridges.dropped} dropped, ${calls} calls`);
  assertEquals(bridges.take(), []);
  await bridges.close();
  socket.close();
});

Deno.test("UdpBridges.open names an address in use, and opens nothing without a bridge", async () => {
  const { socket, port } = await peer();
  const local = { host: "127.0.0.1", port }, remote = { host: "127.0.0.1", port: 9 };
  await assertRejects(
    () => UdpBridges.open([{ kind: "bridge", id: "n0", local, remote }]),
    CommandError,
    `Cannot bridge network "n0" at 127.0.0.1:${port}: the address is in use`,
  );
  socket.close();
  assertEquals(
    await UdpBridges.open([{ kind: "user", id: "u", folder: undefined, bootFile: undefined }]),
    undefined,
  );
});

Deno.test({
  name: "UdpBridges.open says which permission is missing",
  permissions: { net: false },
  fn: async () => {
    const local = { host: "127.0.0.1", port: 7001 }, remote = { host: "127.0.0.1", port: 7002 };
    await assertRejects(
      () => UdpBridges.open([{ kind: "bridge", id: "n0", local, remote }]),
      CommandError,
      "run with --allow-net=127.0.0.1:7001,127.0.0.1:7002",
    );
  },
});
