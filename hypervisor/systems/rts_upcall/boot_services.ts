/**
 * Boot services by the same upcalls: as many as a loaded image needs that leaves them by ExitBootServices, such as the
 * boot stub of Linux: memory, protocols that firmware put into RAM, configuration tables (UEFI 2.10 §7). Those that are
 * not here answer EFI_UNSUPPORTED.
 */
import { crc32 } from "../../../machine/crc32.ts";
import { type BootService, FIRMWARE_DESCRIPTION } from "../../../machine/uefi_services.ts";
import { EFI_STATUS, EfiError } from "../../efi_status.ts";
import type { Caller } from "./caller.ts";
import { ALLOCATE_ANY_PAGES, MemoryRegions, PAGE, type Region } from "./memory_regions.ts";
import { installConfigurationTable, leaveBootServices } from "./system_table.ts";

/** An interface of a protocol on a handle. */
export interface Protocol {
  /** The protocol. */
  readonly guid: string;
  /** On what. */
  readonly handle: bigint;
  /** Where its structure is. */
  readonly interface: bigint;
}

/** Memory from AllocatePool. */
export interface Pool {
  /** First physical address. */
  readonly base: number;
  /** Pages that it takes. */
  readonly pages: number;
}

/** The state of boot services. */
export interface BootState {
  /** Physical address of EFI_SYSTEM_TABLE; 0 before `Begin`. */
  systemTable: number;
  /** Rows that its ConfigurationTable has room for. */
  room: number;
  /** Memory. */
  regions: MemoryRegions;
  /** Handles with what is on them. */
  protocols: readonly Protocol[];
  /** Pools. */
  pools: Pool[];
}

/** The state before firmware has begun. */
export function noBootState(): BootState {
  return { systemTable: 0, room: 0, regions: new MemoryRegions([]), protocols: [], pools: [] };
}

const TPL_APPLICATION = 4n;
const DESCRIPTOR_VERSION = 1n;
/** Most bytes of a CRC. */
const MOST_CRC = 0x10_0000;
/** EFI_LOCATE_SEARCH_TYPE ByProtocol. */
const BY_PROTOCOL = 2n;

/** A number of bytes or pages, as far as memory can have them. */
function count(value: bigint): number {
  if (value > 1n << 40n) throw new EfiError(EFI_STATUS.OUT_OF_RESOURCES);
  return Number(value);
}

/** `Begin`: takes the description at X0 in. */
export function beginBootServices(caller: Caller): BootState {
  const { HEADER, PROTOCOL, REGION, MOST } = FIRMWARE_DESCRIPTION;
  const at = caller.argument(0), header = new DataView(caller.read(at, HEADER).buffer);
  const protocols = header.getUint32(12, true), regions = header.getUint32(16, true);
  if (protocols > MOST || regions > MOST) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  const regionsAt = at + BigInt(HEADER + protocols * PROTOCOL);
  return {
    systemTable: Number(header.getBigUint64(0, true) & (1n << 52n) - 1n),
    room: header.getUint32(8, true),
    regions: new MemoryRegions(MemoryRegions.parse(caller.read(regionsAt, regions * REGION))),
    protocols: Array.from({ length: protocols }, (_, index) => {
      const row = at + BigInt(HEADER + index * PROTOCOL);
      return {
        guid: caller.readGuid(row),
        handle: caller.readNumber(row + 16n, 8),
        interface: caller.readNumber(row + 24n, 8),
      };
    }),
    pools: [],
  };
}

type Service = (caller: Caller, state: BootState) => bigint;

const { SUCCESS, NOT_FOUND, INVALID_PARAMETER, BUFFER_TOO_SMALL } = EFI_STATUS;

/** Puts a pointer out. */
function give(caller: Caller, place: bigint, value: bigint): bigint {
  caller.demandWritable(place, 8);
  caller.writeNumber(place, 8, value);
  return SUCCESS;
}

function allocatePages(caller: Caller, { regions }: BootState): bigint {
  const [how, type, pages, place] = [0, 1, 2, 3].map((n) => caller.argument(n)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const wanted = count(caller.readNumber(place, 8) & (1n << 40n) - 1n);
  caller.demandWritable(place, 8);
  const base = regions.allocate(Number(how & 0xffn), Number(type & 0xffff_ffffn), count(pages), wanted);
  return give(caller, place, BigInt(base));
}

function allocatePool(caller: Caller, { regions, pools }: BootState): bigint {
  const pages = Math.max(1, Math.ceil(count(caller.argument(1)) / PAGE)), place = caller.argument(2);
  caller.demandWritable(place, 8);
  const base = regions.allocate(ALLOCATE_ANY_PAGES, Number(caller.argument(0) & 0xffff_ffffn), pages, 0);
  pools.push({ base, pages });
  return give(caller, place, BigInt(base));
}

function freePool(caller: Caller, { regions, pools }: BootState): bigint {
  const index = pools.findIndex(({ base }) => BigInt(base) === caller.argument(0));
  const [pool] = index < 0 ? [] : pools.splice(index, 1);
  if (pool === undefined) return INVALID_PARAMETER;
  regions.free(pool.base, pool.pages);
  return SUCCESS;
}

/** GetMemoryMap(MemoryMapSize, MemoryMap, MapKey, DescriptorSize, DescriptorVersion). */
function getMemoryMap(caller: Caller, { regions }: BootState): bigint {
  const [sizeAt, mapAt, keyAt, descriptorAt, versionAt] = [0, 1, 2, 3, 4].map((n) => caller.argument(n));
  const bytes = regions.bytes(), room = caller.readNumber(sizeAt!, 8), fits = room >= BigInt(bytes.length);
  const outs: [bigint, number, bigint][] = [
    [sizeAt!, 8, BigInt(bytes.length)],
    [keyAt!, 8, BigInt(regions.key)],
    [descriptorAt!, 8, BigInt(FIRMWARE_DESCRIPTION.REGION)],
    [versionAt!, 4, DESCRIPTOR_VERSION],
  ];
  // Only the size must be there when the buffer is too small.
  const wanted = outs.filter(([place], index) => index === 0 || fits || place !== 0n);
  for (const [place, size] of wanted) caller.demandWritable(place, size);
  if (fits) caller.demandWritable(mapAt!, bytes.length);
  for (const [place, size, value] of wanted) caller.writeNumber(place, size, value);
  if (!fits) return BUFFER_TOO_SMALL;
  caller.write(mapAt!, bytes);
  return SUCCESS;
}

/** LocateHandle(SearchType, Protocol, SearchKey, BufferSize, Buffer): by protocol alone. */
function locateHandle(caller: Caller, { protocols }: BootState): bigint {
  if ((caller.argument(0) & 0xffff_ffffn) !== BY_PROTOCOL) return EFI_STATUS.UNSUPPORTED;
  const guid = caller.readGuid(caller.argument(1)), sizeAt = caller.argument(3);
  const handles = protocols.filter((one) => one.guid === guid).map(({ handle }) => handle);
  if (handles.length === 0) return NOT_FOUND;
  const fits = caller.readNumber(sizeAt, 8) >= BigInt(handles.length * 8);
  if (fits) caller.demandWritable(caller.argument(4), handles.length * 8);
  give(caller, sizeAt, BigInt(handles.length * 8));
  if (!fits) return BUFFER_TOO_SMALL;
  for (const [index, handle] of handles.entries()) {
    caller.writeNumber(caller.argument(4) + BigInt(index * 8), 8, handle);
  }
  return SUCCESS;
}

/** The interface of a protocol, on one handle or any, to where the caller wants it. */
function interfaceOf(caller: Caller, found: Protocol | undefined, place: bigint, missing: bigint): bigint {
  return found === undefined ? missing : give(caller, place, found.interface);
}

/** The services. */
// deno-fmt-ignore
const SERVICES: Readonly<Partial<Record<BootService, Service>>> = {
  RaiseTPL:       () => TPL_APPLICATION,
  RestoreTPL:     () => SUCCESS,
  AllocatePages:  allocatePages,
  FreePages:      (caller, { regions }) => (regions.free(count(caller.argument(0)), count(caller.argument(1))), SUCCESS),
  GetMemoryMap:   getMemoryMap,
  AllocatePool:   allocatePool,
  FreePool:       freePool,
  LocateHandle:   locateHandle,
  LocateDevicePath: (caller) => (caller.readGuid(caller.argument(0)), NOT_FOUND),
  InstallConfigurationTable: (caller, { systemTable, room }) =>
    installConfigurationTable(caller, BigInt(systemTable), room),
  Stall:          () => SUCCESS,
  SetWatchdogTimer: () => SUCCESS,
  HandleProtocol: (caller, { protocols }) => {
    const guid = caller.readGuid(caller.argument(1)), handle = caller.argument(0);
    const found = protocols.find((one) => one.guid === guid && one.handle === handle);
    return interfaceOf(caller, found, caller.argument(2), EFI_STATUS.UNSUPPORTED);
  },
  LocateProtocol: (caller, { protocols }) => {
    const guid = caller.readGuid(caller.argument(0));
    return interfaceOf(caller, protocols.find((one) => one.guid === guid), caller.argument(2), NOT_FOUND);
  },
  CalculateCrc32: (caller) => {
    const size = caller.argument(1), place = caller.argument(2);
    if (size === 0n || size > BigInt(MOST_CRC)) return INVALID_PARAMETER;
    caller.demandWritable(place, 4);
    caller.writeNumber(place, 4, BigInt(crc32(caller.read(caller.argument(0), Number(size)))));
    return SUCCESS;
  },
  ExitBootServices: (caller, { regions, systemTable }) => {
    if (caller.argument(1) !== BigInt(regions.key)) return INVALID_PARAMETER;
    leaveBootServices(caller, BigInt(systemTable));
    return SUCCESS;
  },
};

/** Does a boot service. */
export function bootService(name: BootService, caller: Caller, state: BootState): bigint {
  return SERVICES[name]?.(caller, state) ?? EFI_STATUS.UNSUPPORTED;
}

/** SetVirtualAddressMap(MemoryMapSize, DescriptorSize, DescriptorVersion, VirtualMap), as regions. */
export function virtualMap(caller: Caller): Region[] {
  const [size, descriptor, version, place] = [0, 1, 2, 3].map((n) => caller.argument(n));
  const isMap = descriptor! >= 40n && descriptor! <= 256n && size! <= 0x1_0000n && size! % descriptor! === 0n;
  if ((version! & 0xffff_ffffn) !== DESCRIPTOR_VERSION || !isMap) throw new EfiError(INVALID_PARAMETER);
  return MemoryRegions.parse(caller.read(place!, Number(size)), Number(descriptor));
}
