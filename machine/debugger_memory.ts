/** Memory as a debugger sees it: through a CPU's present translation, without faults. */
import type { Cpu } from "./cpu/cpu.ts";
import type { SemihostingMemory } from "./semihosting_memory.ts";

/** A CPU's memory as a debugger at its exception level sees it: what would fault is not there. */
export function debuggerMemory(cpu: Cpu): SemihostingMemory {
  const withoutFault = <T>(access: () => T): T | undefined => {
    const value = access();
    if (cpu.pending === undefined) return value;
    cpu.pending = undefined;
    return undefined;
  };
  return {
    read: (address, size) =>
      withoutFault(() =>
        Uint8Array.from({ length: size }, (_, at) => Number(cpu.load(address + BigInt(at), 1, "normal")))
      ),
    write: (address, bytes) =>
      withoutFault(() => {
        for (const [at, byte] of bytes.entries()) cpu.store(address + BigInt(at), 1, BigInt(byte), "normal");
        return true;
      }) ?? false,
  };
}
