/** Memory as a debugger sees it: through a CPU's present translation, without faults. */
import type { Cpu } from "./cpu/cpu.ts";
import { splitAddress } from "./cpu/place.ts";
import { controlsOf, regimeOf } from "./cpu/translation_regime.ts";
import { translate } from "./memory/translation.ts";
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

/** The physical address of a virtual one in a CPU's present translation, whatever it may access; undefined where none. */
export function debuggerAddress(cpu: Cpu, address: bigint): number | undefined {
  const controls = controlsOf(cpu, regimeOf(cpu, cpu.el));
  const request = { kind: "maintain", privileged: true, aligned: true } as const;
  const result = translate(cpu.surroundings.memory, controls, splitAddress(address), request);
  return result.faulted ? undefined : result.address;
}
