/** A machine's configuration as lines for people. */
import type { ImageReference, MachineConfiguration, MonitorConfiguration } from "../machine/configuration.ts";

function imageText({ name, size, sha256 }: ImageReference): string {
  return `${name === "" ? "" : `"${name}", `}${size} bytes, SHA-256 ${sha256}`;
}

const onOff = (value: boolean): string => value ? "on" : "off";

/** `key=value` of what was given. */
function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => `${name}=${value}`).join(", ");
}

/** Drives, networks and devices, as far as there are any. */
function peripheralLines({ drives, networks, devices, boot }: MachineConfiguration): [string, string][] {
  return [
    ...boot.pflash.map((image, bank): [string, string] => [
      `pflash${bank}`,
      imageText(image) + (image.readOnly ? ", read-only" : ""),
    ]),
    ...boot.guestModules.map(({ kind, address, image, bootargs }, index): [string, string] => [
      `guest${index}`,
      `${kind}: ${imageText(image)}, ${fieldsText({ address, bootargs })}`,
    ]),
    ...boot.firmwareFiles.map((file, index): [string, string] => [
      `fwcfg${index}`,
      `${file.name}: ${file.kind === "text" ? JSON.stringify(file.text) : imageText(file.image)}`,
    ]),
    ...drives.map(({ id, image, readOnly }): [string, string] => [
      `drive ${id}`,
      imageText(image) + (readOnly ? ", read-only" : ""),
    ]),
    ...networks.map((network): [string, string] => [
      `network ${network.id}`,
      network.kind === "bridge"
        ? "bridge: frames from outside are inputs"
        : `user: ${network.files.length} files served` +
          (network.bootFile === undefined ? "" : `, bootfile=${network.bootFile}`),
    ]),
    ...devices.map(({ driver, ...fields }, index): [string, string] => [
      `device${index}`,
      [driver, fieldsText(fields)].filter((text) => text !== "").join(": "),
    ]),
  ];
}

/** A system of a monitor with its options. */
const systemText = ({ name, options }: MonitorConfiguration["systems"][number]): string =>
  [name, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(",");

/** Monitors, as far as there are any. */
function monitorLines({ monitors = [] }: MachineConfiguration): [string, string][] {
  return monitors.map(({ level, systems }) => [
    `monitor el${level}`,
    systems.map(systemText).join(",") || "hosts its guest",
  ]);
}

/** What the machine is, by the option that says so. */
export function configurationLines(configuration: MachineConfiguration): Map<string, string> {
  const { boot, scheduleSeed, rtcBase, strictModels } = configuration;
  const loaders = boot.loaders.map((loader, index): [string, string] => {
    const { kind, ...rest } = loader;
    const fields = Object.entries(rest).filter(([, value]) => value !== undefined).map(([name, value]) =>
      typeof value === "object" ? imageText(value) : `${name}=${value}`
    );
    return [`loader${index}`, `${kind}: ${fields.join(", ")}`];
  });
  const images = (["bios", "kernel", "initrd", "dtb"] as const).flatMap((role): [string, string][] => {
    const reference = boot[role];
    return reference === undefined ? [] : [[role, imageText(reference)]];
  });
  // deno-fmt-ignore
  return new Map<string, string>([
    ["behaviour",          String(configuration.behaviour)],
    ["machine",            `${configuration.machine}, gic-version=${configuration.gicVersion}, ` +
                           `secure=${onOff(configuration.secure)}, virtualization=${onOff(configuration.virtualization)}, ` +
                           `highmem=${onOff(configuration.highmem)}`],
    ["cpu",                `${configuration.cpus} × ${configuration.cpuModel}`],
    ["memory",             `${configuration.memoryMiB} MiB`],
    ["step",               `${configuration.nanosecondsPerStep} ns`],
    ["schedule",           `quantum ${configuration.quantum} steps` +
                           (scheduleSeed === undefined ? "" : `, seed ${scheduleSeed}`)],
    ["enable method",      configuration.enableMethod],
    ["clock",              new Date(rtcBase * 1000).toISOString()],
    ["seed",               String(configuration.seed)],
    ["roots",              `every ${configuration.rootInterval} steps`],
    ["semihosting",        onOff(configuration.semihosting)],
    ...monitorLines(configuration),
    ...(strictModels.length === 0 ? [] : [["strict", strictModels.join(", ")] as [string, string]]),
    ...(configuration.stopAt === undefined ? [] : [["stop at", configuration.stopAt.join(", ")] as [string, string]]),
    ...images,
    ...(boot.append === undefined ? [] : [["append", JSON.stringify(boot.append)] as [string, string]]),
    ...loaders,
    ...peripheralLines(configuration),
  ]);
}
