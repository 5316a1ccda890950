/** The machine's configuration: defaults, refusals and the hash. */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  configurationHash,
  type ConfigurationInput,
  DEFAULT_RTC_BASE,
  type ImageReference,
  parseConfiguration,
} from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";

const image: ImageReference = { sha256: "ab".repeat(32), size: 7, name: "u-boot.bin" };

Deno.test("parseConfiguration fills in the defaults of QEMU's virt and of the design", () => {
  assertEquals(parseConfiguration({}), {
    behaviour: 3,
    machine: "virt",
    secure: false,
    virtualization: false,
    gicVersion: 2,
    highmem: true,
    cpuModel: "cortex-a57",
    cpus: 1,
    memoryMiB: 128,
    nanosecondsPerStep: 8,
    quantum: 10_000,
    scheduleSeed: undefined,
    rtcBase: 1_767_225_600,
    seed: 0,
    rootInterval: 2 ** 25,
    semihosting: false,
    strictModels: [],
    its: true,
    uart1: undefined,
    secureRam: undefined,
    rootPorts: undefined,
    unplugged: undefined,
    virtualTimer: undefined,
    enableMethod: "psci",
    drives: [],
    networks: [],
    devices: [],
    virtioMmioLegacy: true,
    consoleInput: "uart0",
    monitors: undefined,
    stopAt: undefined,
    boot: {
      bios: undefined,
      pflash: [],
      kernel: undefined,
      initrd: undefined,
      append: undefined,
      dtb: undefined,
      loaders: [],
      guestModules: [],
      firmwareFiles: [],
    },
  });
});

Deno.test("DEFAULT_RTC_BASE is 2026-01-01T00:00:00Z", () => {
  assertEquals(DEFAULT_RTC_BASE, Date.UTC(2026, 0, 1) / 1000);
});

Deno.test("parseConfiguration refuses what cannot be built and says what can", () => {
  // deno-fmt-ignore
  const wrong: [unknown, string][] = [
    [{ machine: "raspi3b" },                      "machine: only -M virt can be built"],
    [{ gicVersion: 4 },                           "gicVersion: there are gic-version=2 and gic-version=3"],
    [{ cpuModel: "cortex-a53" },                  "cpuModel: there are cortex-a57; max; max,pauth-impdef=on"],
    [{ cpus: 9 },                                 "cpus: at most 8 CPUs"],
    [{ cpus: 0 },                                 "cpus: "],
    [{ memoryMiB: 3073 },                         "use -m 3G or less"],
    [{ quantum: 63 },                             "quantum: a turn has at least 64 steps"],
    [{ nanosecondsPerStep: 0.5 },                 "nanosecondsPerStep: "],
    [{ strictModels: ["tlb", "cache"] },          "the strict models are tlb, icache, dcache, context"],
    [{ unknown: 1 },                              "unknown"],
    [{ boot: { append: "a\0b" } },                "boot.append: holds a zero byte"],
    [{ boot: { bios: { ...image, sha256: "" } } }, "boot.bios.sha256: not 64"],
    [{ boot: { loaders: [{ kind: "data", address: 0, bytes: "0g" }] } }, "boot.loaders.0.bytes"],
    [{ boot: { loaders: [{ kind: "entry", address: -1, cpu: 0 }] } },    "boot.loaders.0.address"],
    [{ cpus: 9, memoryMiB: 0 },                   "; memoryMiB: "],
    [null,                                        "it: "],
  ];
  for (const [value, message] of wrong) {
    assertThrows(() => parseConfiguration(value), ConfigurationError, message, JSON.stringify(value));
  }
});

Deno.test("configurationHash does not depend on names of images, order of keys or absent defaults", () => {
  const hash = (input: ConfigurationInput) => configurationHash(parseConfiguration(input));
  const bios = hash({ secure: true, boot: { bios: image } });
  assertEquals(hash({ boot: { bios: { ...image, name: "/other/path" } }, secure: true }), bios);
  assertEquals(hash({ boot: { bios: image, loaders: [], append: undefined }, secure: true, cpus: 1 }), bios);
  assertEquals(hash(parseConfiguration({ boot: { bios: image }, secure: true })), bios);
});

Deno.test("configurationHash depends on everything else", () => {
  const file = { kind: "image", image, address: 0, forceRaw: false, cpu: undefined } as const;
  // deno-fmt-ignore
  const inputs: ConfigurationInput[] = [
    {}, { behaviour: 1 }, { cpuModel: "max" }, { cpuModel: "max,pauth-impdef=on" }, { secure: true }, { virtualization: true }, { cpus: 2 }, { memoryMiB: 129 },
    { nanosecondsPerStep: 9 }, { quantum: 64 }, { scheduleSeed: 0 }, { scheduleSeed: 1 }, { rtcBase: 0 }, { seed: 1 },
    { rootInterval: 1 }, { semihosting: true }, { boot: { bios: image } }, { boot: { kernel: image } },
    { boot: { initrd: image } }, { boot: { dtb: image } }, { boot: { append: "" } }, { boot: { append: "x" } },
    { boot: { bios: { ...image, size: 8 } } }, { boot: { bios: { ...image, sha256: "cd".repeat(32) } } },
    { boot: { loaders: [file] } }, { boot: { loaders: [{ ...file, cpu: 0 }] } },
    { boot: { loaders: [{ ...file, forceRaw: true }] } }, { boot: { loaders: [file, file] } },
    { boot: { loaders: [{ kind: "data", address: 0, bytes: "00" }] } },
    { boot: { loaders: [{ kind: "entry", address: 0, cpu: 0 }] } },
  ];
  const hashes = inputs.map((input) => configurationHash(parseConfiguration(input)));
  assertEquals(new Set(hashes).size, inputs.length);
  assertNotEquals(hashes[0], "");
});

Deno.test("configurationHash of the default configuration is what journals of this behaviour hold", () => {
  assertEquals(
    configurationHash(parseConfiguration({})),
    "4bbf9583a96a4383ca8f5a69f1c7ec7971e48633f7edfefc6c98a71f235c8818",
  );
});
