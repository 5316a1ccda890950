/** QEMU's options of the machine itself: `-M`, `-cpu`, `-smp`, `-m`, `-rtc`, `-seed`, `-semihosting-config`, `-accel`. */
import type { DetachableName } from "../machine/configuration.ts";
import { UsageError } from "./errors.ts";
import type { HostFacts, RequestDraft } from "./machine_request.ts";
import { wholeNumber } from "./options.ts";
import { eachProperty, mebibytes, onOff, properties, seconds } from "./properties.ts";
import { suggestion } from "./suggest.ts";

const ignored = (): void => {};

/** `gic-version=`: `max` is the newest there is. */
const GIC_VERSIONS: Readonly<Record<string, 2 | 3>> = { 2: 2, 3: 3, max: 3 };

function gicVersion(value: string): 2 | 3 {
  const version = Object.hasOwn(GIC_VERSIONS, value) ? GIC_VERSIONS[value] : undefined;
  if (version !== undefined) return version;
  const why = value === "host" ? "there is no host's: every run is emulated" : "it is not built";
  throw new UsageError(
    `-M: gic-version=${value} is not possible here (${why}); use gic-version=2, gic-version=3 or gic-version=max`,
  );
}

/** `-M`. */
export function readMachine({ configuration }: RequestDraft, text: string): void {
  const flag = (key: "secure" | "virtualization" | "highmem" | "its") => (value: string): void => {
    configuration[key] = onOff("-M", key, value);
  };
  const onlyOff = (key: string) => (value: string): void => {
    if (onOff("-M", key, value)) throw new UsageError(`-M: ${key}=on is not built`);
  };
  eachProperty("-M", properties(text, "type"), {
    type: (value) => {
      if (value !== "virt") {
        throw new UsageError(
          `There is no machine "${value}": use -M virt${suggestion(value, ["virt"])}`,
        );
      }
    },
    secure: flag("secure"),
    virtualization: flag("virtualization"),
    highmem: flag("highmem"),
    "gic-version": (value) => void (configuration.gicVersion = gicVersion(value)),
    its: flag("its"),
    "virtual-timer": (value) => void (configuration.virtualTimer = onOff("-M", "virtual-timer", value)),
    rootports: (value) => void (configuration.rootPorts = wholeNumber(value, "-M: rootports", 0, 4)),
    uart1: (value) => void (configuration.uart1 = onOff("-M", "uart1", value)),
    "secure-ram": (value) => void (configuration.secureRam = onOff("-M", "secure-ram", value)),
    unplugged: (value) => void (configuration.unplugged = value.split("+") as DetachableName[]),
    accel: (value) => readAccelerator(value),
    mte: onlyOff("mte"),
    ras: onlyOff("ras"),
    iommu: (value) => {
      if (value !== "none") throw new UsageError(`-M: iommu=${value} is not built; use iommu=none`);
    },
    acpi: ignored,
    usb: ignored,
    graphics: ignored,
  });
}

/** `-accel`. */
export function readAccelerator(text: string): void {
  const name = text.split(",")[0];
  if (name !== "tcg") {
    throw new UsageError(`-accel ${name} is not possible here: every run is emulated; leave -accel out`);
  }
}

/** A property of `-cpu max` that is always off here. */
const absent = (key: string) => (value: string): void => {
  if (onOff("-cpu", key, value)) throw new UsageError(`-cpu: ${key}=on is not built`);
};

/** `-cpu`: a model, then properties; only those of `max` that choose among ours or turn off what is not here. */
export function readCpu({ configuration }: RequestDraft, text: string): void {
  const [[, name] = ["type", ""], ...list] = properties(text, "type");
  if (name !== "cortex-a57" && name !== "max") {
    throw new UsageError(`-cpu ${name} is not built: there are cortex-a57 and max; use -cpu cortex-a57`);
  }
  configuration.cpuModel = name;
  if (name !== "max" && list.length > 0) throw new UsageError(`-cpu ${name} takes no properties here`);
  eachProperty("-cpu", list, {
    "pauth-impdef": (value) => {
      configuration.cpuModel = onOff("-cpu", "pauth-impdef", value) ? "max,pauth-impdef=on" : "max";
    },
    sve: absent("sve"),
    sme: absent("sme"),
    lpa2: absent("lpa2"),
  });
}

/** `-smp`. */
export function readCpus({ configuration }: RequestDraft, text: string): void {
  eachProperty("-smp", properties(text, "cpus"), {
    cpus: (value) => void (configuration.cpus = wholeNumber(value, "-smp", 1, 8)),
  });
}

/** `-m`. */
export function readMemory({ configuration }: RequestDraft, text: string): void {
  eachProperty("-m", properties(text, "size"), {
    size: (value) => void (configuration.memoryMiB = mebibytes("-m", value)),
  });
}

/** `-rtc`. */
export function readClock({ configuration }: RequestDraft, text: string, host: HostFacts): void {
  const only = (key: string, wanted: string, why: string) => (value: string): void => {
    if (value !== wanted) throw new UsageError(`-rtc: ${key}=${value} is not possible: ${why}`);
  };
  eachProperty("-rtc", properties(text), {
    base: (value) =>
      void (configuration.rtcBase = value === "utc" ? host.secondsNow() : seconds("-rtc", value)),
    clock: only("clock", "vm", "there is only clock=vm"),
    driftfix: only("driftfix", "none", "nothing drifts here"),
  });
}

/** `-semihosting-config`. */
export function readSemihosting({ configuration }: RequestDraft, text: string): void {
  configuration.semihosting = true;
  eachProperty("-semihosting-config", properties(text, "enable"), {
    enable: (value) => void (configuration.semihosting = onOff("-semihosting-config", "enable", value)),
    target: (value) => {
      if (value === "native" || value === "auto") return;
      throw new UsageError(`-semihosting-config: target=${value} is not possible: use target=native`);
    },
  });
}

/** `-seed`. */
export function readSeed({ configuration }: RequestDraft, text: string, host: HostFacts): void {
  configuration.seed = text === "random" ? host.randomSeed() : wholeNumber(text, "-seed");
}
