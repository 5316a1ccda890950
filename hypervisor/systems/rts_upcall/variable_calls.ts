/** The variable services as calls: pointers in, status out (UEFI 2.10 §8.2). */
import { EFI_STATUS, EfiError } from "../../efi_status.ts";
import {
  MOST_DATA,
  MOST_NAME,
  type VariableChange,
  type VariableServices,
} from "../../variable_store/variable_services.ts";
import type { Caller } from "./caller.ts";

/** GetVariable(VariableName, VendorGuid, Attributes OPTIONAL, DataSize, Data OPTIONAL). */
export function getVariable(caller: Caller, variables: VariableServices, isRuntime: boolean): bigint {
  const name = caller.readText(caller.argument(0)), vendor = caller.readGuid(caller.argument(1));
  const attributesAt = caller.argument(2), sizeAt = caller.argument(3), dataAt = caller.argument(4);
  const room = caller.readNumber(sizeAt, 8);
  const { attributes, data } = variables.get(vendor, name, isRuntime);
  const fits = room >= BigInt(data.length);
  caller.demandWritable(sizeAt, 8);
  if (attributesAt !== 0n) caller.demandWritable(attributesAt, 4);
  if (fits) caller.demandWritable(dataAt, data.length);
  caller.writeNumber(sizeAt, 8, BigInt(data.length));
  if (attributesAt !== 0n) caller.writeNumber(attributesAt, 4, BigInt(attributes));
  if (!fits) return EFI_STATUS.BUFFER_TOO_SMALL;
  caller.write(dataAt, data);
  return EFI_STATUS.SUCCESS;
}

/** GetNextVariableName(VariableNameSize, VariableName, VendorGuid): all three in and out. */
export function getNextVariableName(caller: Caller, variables: VariableServices, isRuntime: boolean): bigint {
  const [sizeAt, nameAt, vendorAt] = [caller.argument(0), caller.argument(1), caller.argument(2)];
  const room = caller.readNumber(sizeAt, 8);
  // The buffer that is said to be there holds a terminated name.
  if (room < 2n) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  const most = room / 2n - 1n > BigInt(MOST_NAME) ? MOST_NAME : Number(room / 2n - 1n);
  const next = variables.next(caller.readGuid(vendorAt), caller.readText(nameAt, most), isRuntime);
  const size = (next.name.length + 1) * 2, fits = room >= BigInt(size);
  caller.demandWritable(sizeAt, 8);
  if (fits) {
    caller.demandWritable(nameAt, size);
    caller.demandWritable(vendorAt, 16);
  }
  caller.writeNumber(sizeAt, 8, BigInt(size));
  if (!fits) return EFI_STATUS.BUFFER_TOO_SMALL;
  const text = new DataView(new ArrayBuffer(size));
  for (let at = 0; at < next.name.length; at++) text.setUint16(at * 2, next.name.charCodeAt(at), true);
  caller.write(nameAt, new Uint8Array(text.buffer));
  caller.writeGuid(vendorAt, next.vendor);
  return EFI_STATUS.SUCCESS;
}

/** SetVariable(VariableName, VendorGuid, Attributes, DataSize, Data): what changed, if anything did. */
export function setVariable(
  caller: Caller,
  variables: VariableServices,
  isRuntime: boolean,
): VariableChange | undefined {
  const name = caller.readText(caller.argument(0)), vendor = caller.readGuid(caller.argument(1));
  const attributes = Number(caller.argument(2) & 0xffff_ffffn), size = caller.argument(3);
  if (size > BigInt(MOST_DATA)) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  const data = caller.read(caller.argument(4), Number(size));
  return variables.set({ vendor, name, attributes, data }, isRuntime);
}

/** QueryVariableInfo(Attributes, MaximumVariableStorageSize, RemainingVariableStorageSize, MaximumVariableSize). */
export function queryVariableInfo(caller: Caller, variables: VariableServices, isRuntime: boolean): bigint {
  const attributes = Number(caller.argument(0) & 0xffff_ffffn),
    places = [1, 2, 3].map((n) => caller.argument(n));
  for (const place of places) caller.demandWritable(place, 8);
  const { maximum, remaining, largest } = variables.query(attributes, isRuntime);
  for (const [index, value] of [maximum, remaining, largest].entries()) {
    caller.writeNumber(places[index] as bigint, 8, BigInt(value));
  }
  return EFI_STATUS.SUCCESS;
}
