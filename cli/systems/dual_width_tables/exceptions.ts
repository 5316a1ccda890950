/** The exceptions of a run as lines of QEMU's `-d int`, from a journal of ours and from QEMU itself. */
import { eventStream } from "../../../journal/event_stream.ts";
import { qemuLogExporter } from "../../../journal/export_qemu_log.ts";
import type { Recorded } from "../scenario.ts";

/** Lines that tell of an exception and what it brings. */
const LINE = /^(Taking exception|Exception return|\.\.\.)/;
/** The call that ends a run: QEMU takes it before there is an exception. */
const POWER_OFF = /^Taking exception 13 /;

/** The lines of QEMU's log that are about exceptions, up to the call that ends the run. */
export function exceptionLines(log: string): string[] {
  const lines = log.split("\n").filter((line) => LINE.test(line)).map((line) => line.trimEnd());
  const end = lines.findIndex((line) => POWER_OFF.test(line));
  return end < 0 ? lines : lines.slice(0, end);
}

/** The same of a recorded run. */
export function recordedExceptions({ run, images }: Recorded): string[] {
  const exporter = qemuLogExporter(() => undefined);
  let log = "";
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    log += exporter.step({ instant: event.instant, times: [], events: [event] });
  }
  return exceptionLines(log);
}
