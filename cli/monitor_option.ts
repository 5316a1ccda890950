/** `--monitor`: the monitors of a machine and their systems, as a command line says them. */
import type { MonitorConfiguration } from "../machine/configuration.ts";
import { UsageError } from "./errors.ts";
import type { RequestDraft } from "./machine_request.ts";

/** What QEMU's own option asks for and there is not. */
const NO_MONITOR = "commands of an operator are typed after Ctrl-A c; " +
  "--monitor el2:SYSTEM,… installs a monitor (see `hindsight system list`)";

/** Items between commas; a comma doubled is a comma of a value. */
function itemsOf(text: string): string[] {
  return text.replaceAll(",,", "\0").split(",").map((item) => item.replaceAll("\0", ","));
}

/** Reads `el2`, or `el2:time-scale,scale=1/4,gva-scan`: a word is a system, KEY=VALUE is for the one before. */
export function parseMonitor(text: string): MonitorConfiguration {
  const [, level, colon, list] = /^el([23])(?:(:)(.*))?$/s.exec(text) ?? [];
  if (level === undefined) throw new UsageError(`-monitor ${text} is not possible here: ${NO_MONITOR}`);
  const systems: { name: string; options: Record<string, string> }[] = [];
  for (const item of colon === undefined ? [] : itemsOf(list ?? "")) {
    const equals = item.indexOf("=");
    if (equals < 0) {
      if (!/^[a-z0-9][a-z0-9-]*$/.test(item)) {
        throw new UsageError(
          `--monitor ${text}: "${item}" is no name of a system; write el${level}:SYSTEM,KEY=VALUE,SYSTEM`,
        );
      }
      systems.push({ name: item, options: {} });
      continue;
    }
    const system = systems.at(-1);
    const key = item.slice(0, equals);
    if (system === undefined) {
      throw new UsageError(`--monitor ${text}: ${item} is for no system; write el${level}:SYSTEM,${item}`);
    }
    if (Object.hasOwn(system.options, key)) {
      throw new UsageError(`--monitor ${text}: ${system.name} is given ${key} twice`);
    }
    system.options[key] = item.slice(equals + 1);
  }
  return { level: level === "2" ? 2 : 3, systems };
}

/** Reads the option into a request; `none`, as QEMU is often given it, has no effect. */
export function readMonitor({ configuration }: RequestDraft, text: string): void {
  if (text === "none") return;
  configuration.monitors = [...configuration.monitors ?? [], parseMonitor(text)];
}
