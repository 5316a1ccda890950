/** Debian on the consoles: the kernel's log and a shell on the second serial port, a getty on the first. */
import type { CheckContext, RecordRequest } from "../scenario.ts";

/** What the getty's shell and that of the log begin their lines with. */
export const SHELL_PROMPT = "shell:", LOG_PROMPT = "log:";

const START = `PS1=${SHELL_PROMPT}; TERM=linux; export PS1 TERM; ` +
  `busybox setsid busybox getty -n -l /bin/sh -L 115200 ttyAMA0 linux & PS1=${LOG_PROMPT}`;

/** Ctrl-G Ctrl-B and a key, in a script's text. */
export const keys = (key: string): string => `send "\\u0007\\u0002${key}"`;

/** A line of a script that types at the console that is shown. */
export const typed = (text: string): string => `send ${JSON.stringify(text)}`;

/** Says what is recorded; `options` are those of the system, `append` more of the kernel's command line. */
export function debian(
  context: CheckContext,
  { options = "", append = "", more = [], ...request }:
    & Omit<RecordRequest, "options">
    & { readonly options?: string; readonly append?: string; readonly more?: readonly string[] },
): RecordRequest {
  return {
    options: [
      ...["-M", "virt,uart1=on", "--monitor", `el2:serial-consoles${options}`, "-m", "256M", "-no-reboot"],
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("linux-cloud/initrd.gz")],
      "-append",
      `console=ttyAMA1 panic=-1 cryptomgr.notests=1 ${append} hindsight.run="${START}"`,
      ...more,
    ],
    ...request,
  };
}
