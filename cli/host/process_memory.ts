/** How much memory this process has, and has had. */

/** Bytes of memory of this process now. */
export function memoryNow(): number {
  return Deno.memoryUsage().rss;
}

/** The most bytes of memory that this process ever had; undefined where the system does not tell. */
export function memoryPeak(): number | undefined {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined; // Another system, or no permission to look there.
  }
}
