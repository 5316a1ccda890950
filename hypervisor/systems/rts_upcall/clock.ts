/** GetTime and SetTime on the board's PL031, which counts the seconds of UTC (UEFI 2.10 §8.3). */
import { boardRow } from "../../../machine/board.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { EFI_STATUS, EfiError } from "../../efi_status.ts";
import { readPhysical, writePhysical } from "../../own_memory.ts";
import type { Caller } from "./caller.ts";

/** What SetTime says beside the time, until power is lost. */
export interface TimeZone {
  /** Minutes that UTC is ahead of local time, −1440 to 1440, or `UNSPECIFIED`. */
  readonly zone: number;
  /** EFI_TIME_ADJUST_DAYLIGHT (1), EFI_TIME_IN_DAYLIGHT (2). */
  readonly daylight: number;
}

/** EFI_UNSPECIFIED_TIMEZONE: the time is local, wherever that is. */
export const UNSPECIFIED = 0x7ff;

const RTCDR = 0, RTCLR = 8;
const TIME_SIZE = 16, CAPABILITIES_SIZE = 12;
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const FIRST_YEAR = 1970;
/** Millionths of a part per million: the crystal of a PC. */
const ACCURACY = 50_000_000n;

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
const daysOf = (year: number, month: number): number =>
  month === 1 && isLeap(year) ? 29 : MONTHS[month] as number;

/** Days from 1970-01-01 to the first of a year, from 1900 on. */
function daysBefore(year: number): number {
  let days = 0;
  for (let at = FIRST_YEAR; at < year; at++) days += isLeap(at) ? 366 : 365;
  for (let at = year; at < FIRST_YEAR; at++) days -= isLeap(at) ? 366 : 365;
  return days;
}

/** EFI_TIME of a number of local seconds since 1970. */
function timeBytes(seconds: number, { zone, daylight }: TimeZone): Uint8Array {
  const bytes = new Uint8Array(TIME_SIZE), view = new DataView(bytes.buffer);
  let days = Math.floor(seconds / DAY), year = FIRST_YEAR, month = 0;
  const rest = seconds - days * DAY;
  for (; days < 0; days += isLeap(year) ? 366 : 365) year--;
  for (; days >= (isLeap(year) ? 366 : 365); year++) days -= isLeap(year) ? 366 : 365;
  for (; days >= daysOf(year, month); month++) days -= daysOf(year, month);
  view.setUint16(0, year, true);
  bytes.set([month + 1, days + 1, Math.floor(rest / HOUR), Math.floor(rest / MINUTE) % 60, rest % MINUTE], 2);
  view.setInt16(12, zone, true);
  view.setUint8(14, daylight);
  return bytes;
}

/** Local seconds that zone and daylight saving are ahead of UTC. */
function ahead({ zone, daylight }: TimeZone): number {
  if (zone === UNSPECIFIED) return 0;
  return -zone * MINUTE + ((daylight & 2) !== 0 ? HOUR : 0);
}

/** Reads an EFI_TIME; EFI_INVALID_PARAMETER for a field out of range, or a time that the clock cannot have. */
function parseTime(bytes: Uint8Array): { readonly seconds: number; readonly zone: TimeZone } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, TIME_SIZE);
  const year = view.getUint16(0, true), [month, day, hour, minute, second] = bytes.subarray(2, 7);
  const nanosecond = view.getUint32(8, true), zone = view.getInt16(12, true), daylight = view.getUint8(14);
  const isDate = year >= 1900 && year <= 9999 && month! >= 1 && month! <= 12 && day! >= 1 &&
    day! <= daysOf(year, month! - 1);
  const isTime = hour! < 24 && minute! < 60 && second! < 60 && nanosecond < 1e9;
  const isZone = (zone === UNSPECIFIED || Math.abs(zone) <= 1440) && daylight <= 3;
  if (!isDate || !isTime || !isZone) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  let days = daysBefore(year) + day! - 1;
  for (let at = 0; at < month! - 1; at++) days += daysOf(year, at);
  const local = days * DAY + hour! * HOUR + minute! * MINUTE + second!;
  const seconds = local - ahead({ zone, daylight });
  if (seconds < 0 || seconds >= 2 ** 32) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  return { seconds, zone: { zone, daylight } };
}

/** GetTime(Time, Capabilities OPTIONAL). */
export function getTime(site: MonitorSite, caller: Caller, zone: TimeZone): bigint {
  const time = caller.argument(0), capabilities = caller.argument(1);
  caller.demandWritable(time, TIME_SIZE);
  if (capabilities !== 0n) caller.demandWritable(capabilities, CAPABILITIES_SIZE);
  const address = boardRow(site.board, "rtc").base + RTCDR;
  const seconds = Number(readPhysical(site.memory, caller.vcpu.cpu, address, 4));
  caller.write(time, timeBytes(seconds + ahead(zone), zone));
  if (capabilities !== 0n) {
    caller.writeNumber(capabilities, 8, 1n | ACCURACY << 32n); // Resolution: 1 Hz; Accuracy
    caller.writeNumber(capabilities + 8n, 4, 1n); // SetsToZero: below a second
  }
  return EFI_STATUS.SUCCESS;
}

/** SetTime(Time); the zone from now on. */
export function setTime(site: MonitorSite, caller: Caller): TimeZone {
  const { seconds, zone } = parseTime(caller.read(caller.argument(0), TIME_SIZE));
  const address = boardRow(site.board, "rtc").base + RTCLR;
  writePhysical(site.memory, caller.vcpu.cpu, address, 4, BigInt(seconds));
  return zone;
}
