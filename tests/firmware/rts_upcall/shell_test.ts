/** The start of the EFI shell: services are published when somebody answers, and not otherwise; the boot manager's choice. */
import { assertEquals } from "@std/assert";
import { bootManager, loadOption } from "../../../firmware/rts_upcall/boot_manager.ts";
import { PUBLISHED, UNPUBLISHED } from "../../../firmware/rts_upcall/probe.ts";
import { upcallShell } from "../../../firmware/rts_upcall/shell.ts";
import { type StubConduit, upcallStubs } from "../../../firmware/rts_upcall/stubs.ts";
import { kernelTree } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import "../../../hypervisor/install.ts";
import { type Variable, variableDisk, variablesOn } from "../../../hypervisor/variable_store/variable_log.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { physicalAddress } from "../../../machine/address.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";
import { sha256 } from "../../../machine/sha256.ts";
import { hashOfImage, MemoryImage } from "../../../machine/storage/image.ts";
import { RUNTIME_SERVICES, UPCALL } from "../../../machine/uefi_services.ts";

const RAM = { base: 0x4000_0000, size: 0x800_0000 };
const DISK = new MemoryImage(new Uint8Array(0x4000)),
  DRIVE = {
    id: "nvram",
    image: { sha256: hashOfImage(DISK), size: DISK.size, name: "nvram" },
    readOnly: false,
  };
const SYSTEM = { name: "rts-upcall", options: { drive: "nvram" } };

/** What the shell's start leaves behind, before the kernel's first instruction. */
function started(conduit: StubConduit, more: ConfigurationInput): string {
  const tree = kernelTree({
    configuration: parseConfiguration({}),
    append: "",
    initrd: { base: 0, size: 0 },
  });
  const shell = upcallShell({ conduit, ram: RAM, deviceTree: tree });
  const kernel = assembleProgram("wfi", { base: BigInt(LOADER_KERNEL_AT) }).bytes;
  const images = new Map<string, Uint8Array | MemoryImage>([[DRIVE.image.sha256, DISK]]);
  const loaders = [...shell.segments, { name: "kernel", base: LOADER_KERNEL_AT, bytes: kernel }].map(
    ({ name, base, bytes }) => {
      const hash = sha256(bytes).toHex();
      images.set(hash, bytes);
      const entry = {
        kind: "image" as const,
        image: { sha256: hash, size: bytes.length, name },
        address: base,
        forceRaw: true,
      };
      return base === shell.entry ? { ...entry, cpu: 0 } : entry;
    },
  );
  const machine = new Machine(parseConfiguration({ ...more, boot: { loaders } }), images, {
    engine: "threaded",
  });
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  machine.run(20_000);
  const { memory, cpus } = machine.board;
  const read = (at: number, size: number) => new DataView(memory.readBytes(physicalAddress(at), size).buffer);
  const runtime = read(shell.systemTable + 88, 8).getBigUint64(0, true),
    supported = read(shell.systemTable + 0x284, 4);
  const mapped = read(shell.entry + 0x1000 + 3 * 48 + 32, 8).getBigUint64(0, true) >> 63n;
  return [
    console.trim(),
    cpus[0]!.registers.pc === BigInt(LOADER_KERNEL_AT + 4),
    runtime !== 0n,
    supported.getUint32(0, true) !== 0,
    mapped === 1n,
  ].join();
}

Deno.test("upcallShell publishes runtime services only when the conduit is answered", () => {
  const without = `${UNPUBLISHED},true,false,false,false`, withServices = `${PUBLISHED},true,true,true,true`;
  const monitor = (level: 2 | 3, systems = [SYSTEM]) => ({
    monitors: [{ level, systems }],
    drives: systems.length > 0 ? [DRIVE] : [],
  });
  assertEquals(started("hvc", {}), without, "no EL2: PSCI is the board's, all else UNDEFINED");
  assertEquals(started("smc", {}), without, "no EL3");
  assertEquals(started("hvc", { virtualization: true }), without, "HVC from EL2 to itself");
  assertEquals(started("hvc", monitor(2, [])), without, "a monitor without the system");
  assertEquals(started("smc", monitor(2)), without, "the wrong conduit");
  assertEquals(started("hvc", monitor(2)), withServices);
  assertEquals(started("smc", monitor(3)), withServices);
  assertEquals(started("smc", { ...monitor(3), virtualization: true }), withServices, "from EL2");
});

Deno.test("upcallStubs are a call and a return each, and hold no address", () => {
  for (const [conduit, opcode] of [["hvc", 0xd400_0002], ["smc", 0xd400_0003]] as const) {
    const { code, runtime } = upcallStubs(conduit), view = new DataView(code.buffer);
    for (const [index, name] of RUNTIME_SERVICES.entries()) {
      const at = runtime[name], immediate = UPCALL.RUNTIME + index;
      assertEquals(view.getUint32(at, true), (opcode | immediate << 5) >>> 0, name);
      assertEquals(view.getUint32(at + 4, true), 0xd65f_03c0, "RET");
    }
  }
});

Deno.test("bootManager takes BootNext once, then the first active entry of BootOrder", () => {
  const vendor = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
  const variable = (name: string, data: Uint8Array): Variable => ({ vendor, name, attributes: 7, data });
  const boot = (variables: readonly Variable[]): [string, string[]] => {
    const image = new MemoryImage(variableDisk(0x4000, variables)), hash = hashOfImage(image);
    const { bytes } = bootManager("hvc"), kernel = sha256(bytes).toHex();
    const configuration = parseConfiguration({
      memoryMiB: 16,
      drives: [{ ...DRIVE, image: { sha256: hash, size: image.size, name: "nvram" } }],
      monitors: [{ level: 2, systems: [SYSTEM] }],
      boot: { kernel: { sha256: kernel, size: bytes.length, name: "boot manager" } },
    });
    const machine = new Machine(
      configuration,
      new Map<string, Uint8Array | MemoryImage>([[kernel, bytes], [hash, image]]),
      { engine: "threaded" },
    );
    let console = "";
    machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
    assertEquals(machine.run(100_000).reason, "poweredOff");
    const left = variablesOn(machine.board.disks.get("nvram")!.peek(0, image.size, true));
    return [console.trim(), left.map(({ name }) => name)];
  };
  const order = variable("BootOrder", Uint8Array.of(0xcd, 0xab, 1, 0, 2, 0));
  const one = variable("Boot0001", loadOption("One", false)), two = variable("Boot0002", loadOption("Two"));
  const three = variable("Boot0003", loadOption("Three")), next = variable("BootNext", Uint8Array.of(3, 0));
  assertEquals(boot([order, one, two, three, next]), ["booting 0003: Three", [
    "BootOrder",
    "Boot0001",
    "Boot0002",
    "Boot0003",
  ]]);
  assertEquals(boot([order, one, two, next])[0], "booting 0002: Two");
  assertEquals(boot([order, one])[0], "nothing to boot");
  assertEquals(boot([])[0], "nothing to boot");
});
