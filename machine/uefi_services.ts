/**
 * The services of UEFI in the order of their tables (UEFI 2.10 §4.4, §4.5), and the immediates by which stubs of HVC or
 * SMC ask software at a higher level for them.
 */

/** The services of EFI_RUNTIME_SERVICES, in the table's order. */
// deno-fmt-ignore
export const RUNTIME_SERVICES = [
  "GetTime", "SetTime", "GetWakeupTime", "SetWakeupTime", "SetVirtualAddressMap", "ConvertPointer",
  "GetVariable", "GetNextVariableName", "SetVariable", "GetNextHighMonotonicCount", "ResetSystem",
  "UpdateCapsule", "QueryCapsuleCapabilities", "QueryVariableInfo",
] as const;

/** A runtime service. */
export type RuntimeService = (typeof RUNTIME_SERVICES)[number];

/** The services of EFI_BOOT_SERVICES, in the table's order. */
// deno-fmt-ignore
export const BOOT_SERVICES = [
  "RaiseTPL", "RestoreTPL", "AllocatePages", "FreePages", "GetMemoryMap", "AllocatePool", "FreePool", "CreateEvent",
  "SetTimer", "WaitForEvent", "SignalEvent", "CloseEvent", "CheckEvent", "InstallProtocolInterface",
  "ReinstallProtocolInterface", "UninstallProtocolInterface", "HandleProtocol", "Reserved", "RegisterProtocolNotify",
  "LocateHandle", "LocateDevicePath", "InstallConfigurationTable", "LoadImage", "StartImage", "Exit", "UnloadImage",
  "ExitBootServices", "GetNextMonotonicCount", "Stall", "SetWatchdogTimer", "ConnectController",
  "DisconnectController", "OpenProtocol", "CloseProtocol", "OpenProtocolInformation", "ProtocolsPerHandle",
  "LocateHandleBuffer", "LocateProtocol", "InstallMultipleProtocolInterfaces", "UninstallMultipleProtocolInterfaces",
  "CalculateCrc32", "CopyMem", "SetMem", "CreateEventEx",
] as const;

/** A boot service. */
export type BootService = (typeof BOOT_SERVICES)[number];

/** What firmware asks for itself before it lets a kernel go. */
export const FIRMWARE_CALLS = ["Probe", "Begin", "Leave"] as const;

/**
 * - `Probe`: X0 becomes `UPCALL_ANSWER`: there is somebody who answers.
 * - `Begin`: boot services begin; X0 = physical address of a `FirmwareDescription`.
 * - `Leave`: ExitBootServices and SetVirtualAddressMap count as done.
 */
export type FirmwareCall = (typeof FIRMWARE_CALLS)[number];

/** First immediate of each table's services; a service has that plus its place. All of 0x52xx are of this interface. */
// deno-fmt-ignore
export const UPCALL = { RUNTIME: 0x5200, BOOT: 0x5240, FIRMWARE: 0x52f0, FIRST: 0x5200, LAST: 0x52ff } as const;

/**
 * What X0 of `Begin` points to, little-endian: EFI_SYSTEM_TABLE (u64), room for configuration tables (u32), protocols
 * (u32), memory regions (u32), 4 bytes unused; then 32 bytes a protocol (GUID, handle, interface) and 48 a region
 * (EFI_MEMORY_DESCRIPTOR). Addresses are physical.
 */
export const FIRMWARE_DESCRIPTION = { HEADER: 24, PROTOCOL: 32, REGION: 48, MOST: 64 } as const;

/** What `Probe` answers: "UPCALL". */
export const UPCALL_ANSWER = 0x4c4c_4143_5055n;

/** The service that an immediate asks for, by name; undefined for a number that none has. */
export function upcallNamed(immediate: number): RuntimeService | BootService | FirmwareCall | undefined {
  return RUNTIME_SERVICES[immediate - UPCALL.RUNTIME] ?? BOOT_SERVICES[immediate - UPCALL.BOOT] ??
    FIRMWARE_CALLS[immediate - UPCALL.FIRMWARE];
}
