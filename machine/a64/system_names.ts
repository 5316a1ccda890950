/** Names of system registers and system instructions with their encodings, in LLVM's spelling. */
import { TRACE_REGISTERS } from "./trace_names.ts";

/** An encoding: op0 in bits 15–14, op1 in 13–11, CRn in 10–7, CRm in 6–3, op2 in 2–0. */
export function systemEncoding(op0: number, op1: number, CRn: number, CRm: number, op2: number): number {
  return op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2;
}

/** A line: op0, op1, CRn, CRm, then the names for op2 = 0, 1, …; `r:` is read-only, `w:` write-only, `-` no name. */
// deno-fmt-ignore
const REGISTERS = `
2 0  0  0  - - OSDTRRX_EL1 - DBGBVR0_EL1 DBGBCR0_EL1 DBGWVR0_EL1 DBGWCR0_EL1
2 0  0  1  - - - - DBGBVR1_EL1 DBGBCR1_EL1 DBGWVR1_EL1 DBGWCR1_EL1
2 0  0  2  MDCCINT_EL1 - MDSCR_EL1 - DBGBVR2_EL1 DBGBCR2_EL1 DBGWVR2_EL1 DBGWCR2_EL1
2 0  0  3  - - OSDTRTX_EL1 - DBGBVR3_EL1 DBGBCR3_EL1 DBGWVR3_EL1 DBGWCR3_EL1
2 0  0  4  - - - - DBGBVR4_EL1 DBGBCR4_EL1 DBGWVR4_EL1 DBGWCR4_EL1
2 0  0  5  - - - - DBGBVR5_EL1 DBGBCR5_EL1 DBGWVR5_EL1 DBGWCR5_EL1
2 0  0  6  - - OSECCR_EL1 - DBGBVR6_EL1 DBGBCR6_EL1 DBGWVR6_EL1 DBGWCR6_EL1
2 0  0  7  - - - - DBGBVR7_EL1 DBGBCR7_EL1 DBGWVR7_EL1 DBGWCR7_EL1
2 0  0  8  - - - - DBGBVR8_EL1 DBGBCR8_EL1 DBGWVR8_EL1 DBGWCR8_EL1
2 0  0  9  - - - - DBGBVR9_EL1 DBGBCR9_EL1 DBGWVR9_EL1 DBGWCR9_EL1
2 0  0 10  - - - - DBGBVR10_EL1 DBGBCR10_EL1 DBGWVR10_EL1 DBGWCR10_EL1
2 0  0 11  - - - - DBGBVR11_EL1 DBGBCR11_EL1 DBGWVR11_EL1 DBGWCR11_EL1
2 0  0 12  - - - - DBGBVR12_EL1 DBGBCR12_EL1 DBGWVR12_EL1 DBGWCR12_EL1
2 0  0 13  - - - - DBGBVR13_EL1 DBGBCR13_EL1 DBGWVR13_EL1 DBGWCR13_EL1
2 0  0 14  - - - - DBGBVR14_EL1 DBGBCR14_EL1 DBGWVR14_EL1 DBGWCR14_EL1
2 0  0 15  - - - - DBGBVR15_EL1 DBGBCR15_EL1 DBGWVR15_EL1 DBGWCR15_EL1
2 0  1  0  r:MDRAR_EL1 - - - w:OSLAR_EL1
2 0  1  1  - - - - r:OSLSR_EL1
2 0  1  3  - - - - OSDLR_EL1
2 0  1  4  - - - - DBGPRCR_EL1
2 0  7  8  - - - - - - DBGCLAIMSET_EL1
2 0  7  9  - - - - - - DBGCLAIMCLR_EL1
2 0  7 14  - - - - - - r:DBGAUTHSTATUS_EL1
2 2  0  0  TEECR32_EL1
2 2  1  0  TEEHBR32_EL1
2 3  0  1  r:MDCCSR_EL0
2 3  0  4  DBGDTR_EL0
2 3  0  5  r:DBGDTRRX_EL0|w:DBGDTRTX_EL0
2 4  0  7  DBGVCR32_EL2
3 0  0  0  r:MIDR_EL1 - - - - r:MPIDR_EL1 r:REVIDR_EL1
3 0  0  1  r:ID_PFR0_EL1 r:ID_PFR1_EL1 r:ID_DFR0_EL1 r:ID_AFR0_EL1 r:ID_MMFR0_EL1 r:ID_MMFR1_EL1 r:ID_MMFR2_EL1 r:ID_MMFR3_EL1
3 0  0  2  r:ID_ISAR0_EL1 r:ID_ISAR1_EL1 r:ID_ISAR2_EL1 r:ID_ISAR3_EL1 r:ID_ISAR4_EL1 r:ID_ISAR5_EL1 r:ID_MMFR4_EL1 r:ID_ISAR6_EL1
3 0  0  3  r:MVFR0_EL1 r:MVFR1_EL1 r:MVFR2_EL1 - r:ID_PFR2_EL1 - r:ID_MMFR5_EL1
3 0  0  4  r:ID_AA64PFR0_EL1 r:ID_AA64PFR1_EL1 - - r:ID_AA64ZFR0_EL1
3 0  0  5  r:ID_AA64DFR0_EL1 r:ID_AA64DFR1_EL1 - - r:ID_AA64AFR0_EL1 r:ID_AA64AFR1_EL1
3 0  0  6  r:ID_AA64ISAR0_EL1 r:ID_AA64ISAR1_EL1 r:ID_AA64ISAR2_EL1
3 0  0  7  r:ID_AA64MMFR0_EL1 r:ID_AA64MMFR1_EL1 r:ID_AA64MMFR2_EL1
3 0  1  0  SCTLR_EL1 ACTLR_EL1 CPACR_EL1 - - RGSR_EL1 GCR_EL1
3 0  1  2  ZCR_EL1 TRFCR_EL1
3 0  2  0  TTBR0_EL1 TTBR1_EL1 TCR_EL1
3 0  2  1  APIAKeyLo_EL1 APIAKeyHi_EL1 APIBKeyLo_EL1 APIBKeyHi_EL1
3 0  2  2  APDAKeyLo_EL1 APDAKeyHi_EL1 APDBKeyLo_EL1 APDBKeyHi_EL1
3 0  2  3  APGAKeyLo_EL1 APGAKeyHi_EL1
3 0  4  0  SPSR_EL1 ELR_EL1
3 0  4  1  SP_EL0
3 0  4  2  SPSel - r:CurrentEL PAN UAO
3 0  4  6  ICC_PMR_EL1
3 0  5  1  AFSR0_EL1 AFSR1_EL1
3 0  5  2  ESR_EL1
3 0  5  3  r:ERRIDR_EL1 ERRSELR_EL1
3 0  5  4  r:ERXFR_EL1 ERXCTLR_EL1 ERXSTATUS_EL1 ERXADDR_EL1 r:ERXPFGF_EL1 ERXPFGCTL_EL1 ERXPFGCDN_EL1
3 0  5  5  ERXMISC0_EL1 ERXMISC1_EL1 ERXMISC2_EL1 ERXMISC3_EL1
3 0  5  6  TFSR_EL1 TFSRE0_EL1
3 0  6  0  FAR_EL1
3 0  7  4  PAR_EL1
3 0  9  9  PMSCR_EL1 - PMSICR_EL1 PMSIRR_EL1 PMSFCR_EL1 PMSEVFR_EL1 PMSLATFR_EL1 r:PMSIDR_EL1
3 0  9 10  PMBLIMITR_EL1 PMBPTR_EL1 - PMBSR_EL1 - - - r:PMBIDR_EL1
3 0  9 11  TRBLIMITR_EL1 TRBPTR_EL1 TRBBASER_EL1 TRBSR_EL1 TRBMAR_EL1 - TRBTRG_EL1 r:TRBIDR_EL1
3 0  9 14  - PMINTENSET_EL1 PMINTENCLR_EL1 - - - PMMIR_EL1
3 0 10  2  MAIR_EL1
3 0 10  3  AMAIR_EL1
3 0 10  4  LORSA_EL1 LOREA_EL1 LORN_EL1 LORC_EL1 r:MPAMIDR_EL1 - - r:LORID_EL1
3 0 10  5  MPAM1_EL1 MPAM0_EL1
3 0 12  0  VBAR_EL1 r:RVBAR_EL1 RMR_EL1
3 0 12  1  r:ISR_EL1 DISR_EL1
3 0 12  8  r:ICC_IAR0_EL1 w:ICC_EOIR0_EL1 r:ICC_HPPIR0_EL1 ICC_BPR0_EL1 ICC_AP0R0_EL1 ICC_AP0R1_EL1 ICC_AP0R2_EL1 ICC_AP0R3_EL1
3 0 12  9  ICC_AP1R0_EL1 ICC_AP1R1_EL1 ICC_AP1R2_EL1 ICC_AP1R3_EL1
3 0 12 11  - w:ICC_DIR_EL1 - r:ICC_RPR_EL1 - w:ICC_SGI1R_EL1 w:ICC_ASGI1R_EL1 w:ICC_SGI0R_EL1
3 0 12 12  r:ICC_IAR1_EL1 w:ICC_EOIR1_EL1 r:ICC_HPPIR1_EL1 ICC_BPR1_EL1 ICC_CTLR_EL1 ICC_SRE_EL1 ICC_IGRPEN0_EL1 ICC_IGRPEN1_EL1
3 0 13  0  - CONTEXTIDR_EL1 - - TPIDR_EL1 - - SCXTNUM_EL1
3 0 14  1  CNTKCTL_EL1
3 1  0  0  r:CCSIDR_EL1 r:CLIDR_EL1 r:CCSIDR2_EL1 - r:GMID_EL1 - - r:AIDR_EL1
3 2  0  0  CSSELR_EL1
3 3  0  0  - r:CTR_EL0 - - - - - r:DCZID_EL0
3 3  2  4  r:RNDR r:RNDRRS
3 3  4  2  NZCV DAIF - - - DIT SSBS TCO
3 3  4  4  FPCR FPSR
3 3  4  5  DSPSR_EL0 DLR_EL0
3 3  9 12  PMCR_EL0 PMCNTENSET_EL0 PMCNTENCLR_EL0 PMOVSCLR_EL0 w:PMSWINC_EL0 PMSELR_EL0 r:PMCEID0_EL0 r:PMCEID1_EL0
3 3  9 13  PMCCNTR_EL0 PMXEVTYPER_EL0 PMXEVCNTR_EL0
3 3  9 14  PMUSERENR_EL0 - - PMOVSSET_EL0
3 3 13  0  - - TPIDR_EL0 TPIDRRO_EL0 - - - SCXTNUM_EL0
3 3 13  2  AMCR_EL0 r:AMCFGR_EL0 r:AMCGCR_EL0 AMUSERENR_EL0 AMCNTENCLR0_EL0 AMCNTENSET0_EL0
3 3 13  3  AMCNTENCLR1_EL0 AMCNTENSET1_EL0
3 3 13  4  AMEVCNTR00_EL0 AMEVCNTR01_EL0 AMEVCNTR02_EL0 AMEVCNTR03_EL0
3 3 13  6  r:AMEVTYPER00_EL0 r:AMEVTYPER01_EL0 r:AMEVTYPER02_EL0 r:AMEVTYPER03_EL0
3 3 13 12  AMEVCNTR10_EL0 AMEVCNTR11_EL0 AMEVCNTR12_EL0 AMEVCNTR13_EL0 AMEVCNTR14_EL0 AMEVCNTR15_EL0 AMEVCNTR16_EL0 AMEVCNTR17_EL0
3 3 13 13  AMEVCNTR18_EL0 AMEVCNTR19_EL0 AMEVCNTR110_EL0 AMEVCNTR111_EL0 AMEVCNTR112_EL0 AMEVCNTR113_EL0 AMEVCNTR114_EL0 AMEVCNTR115_EL0
3 3 13 14  AMEVTYPER10_EL0 AMEVTYPER11_EL0 AMEVTYPER12_EL0 AMEVTYPER13_EL0 AMEVTYPER14_EL0 AMEVTYPER15_EL0 AMEVTYPER16_EL0 AMEVTYPER17_EL0
3 3 13 15  AMEVTYPER18_EL0 AMEVTYPER19_EL0 AMEVTYPER110_EL0 AMEVTYPER111_EL0 AMEVTYPER112_EL0 AMEVTYPER113_EL0 AMEVTYPER114_EL0 AMEVTYPER115_EL0
3 3 14  0  CNTFRQ_EL0 r:CNTPCT_EL0 r:CNTVCT_EL0 - - CNTPCTSS_EL0 CNTVCTSS_EL0
3 3 14  2  CNTP_TVAL_EL0 CNTP_CTL_EL0 CNTP_CVAL_EL0
3 3 14  3  CNTV_TVAL_EL0 CNTV_CTL_EL0 CNTV_CVAL_EL0
3 3 14  8  PMEVCNTR0_EL0 PMEVCNTR1_EL0 PMEVCNTR2_EL0 PMEVCNTR3_EL0 PMEVCNTR4_EL0 PMEVCNTR5_EL0 PMEVCNTR6_EL0 PMEVCNTR7_EL0
3 3 14  9  PMEVCNTR8_EL0 PMEVCNTR9_EL0 PMEVCNTR10_EL0 PMEVCNTR11_EL0 PMEVCNTR12_EL0 PMEVCNTR13_EL0 PMEVCNTR14_EL0 PMEVCNTR15_EL0
3 3 14 10  PMEVCNTR16_EL0 PMEVCNTR17_EL0 PMEVCNTR18_EL0 PMEVCNTR19_EL0 PMEVCNTR20_EL0 PMEVCNTR21_EL0 PMEVCNTR22_EL0 PMEVCNTR23_EL0
3 3 14 11  PMEVCNTR24_EL0 PMEVCNTR25_EL0 PMEVCNTR26_EL0 PMEVCNTR27_EL0 PMEVCNTR28_EL0 PMEVCNTR29_EL0 PMEVCNTR30_EL0
3 3 14 12  PMEVTYPER0_EL0 PMEVTYPER1_EL0 PMEVTYPER2_EL0 PMEVTYPER3_EL0 PMEVTYPER4_EL0 PMEVTYPER5_EL0 PMEVTYPER6_EL0 PMEVTYPER7_EL0
3 3 14 13  PMEVTYPER8_EL0 PMEVTYPER9_EL0 PMEVTYPER10_EL0 PMEVTYPER11_EL0 PMEVTYPER12_EL0 PMEVTYPER13_EL0 PMEVTYPER14_EL0 PMEVTYPER15_EL0
3 3 14 14  PMEVTYPER16_EL0 PMEVTYPER17_EL0 PMEVTYPER18_EL0 PMEVTYPER19_EL0 PMEVTYPER20_EL0 PMEVTYPER21_EL0 PMEVTYPER22_EL0 PMEVTYPER23_EL0
3 3 14 15  PMEVTYPER24_EL0 PMEVTYPER25_EL0 PMEVTYPER26_EL0 PMEVTYPER27_EL0 PMEVTYPER28_EL0 PMEVTYPER29_EL0 PMEVTYPER30_EL0 PMCCFILTR_EL0
3 4  0  0  VPIDR_EL2 - - - - VMPIDR_EL2
3 4  1  0  SCTLR_EL2 ACTLR_EL2
3 4  1  1  HCR_EL2 MDCR_EL2 CPTR_EL2 HSTR_EL2 HFGRTR_EL2 HFGWTR_EL2 HFGITR_EL2 HACR_EL2
3 4  1  2  ZCR_EL2 TRFCR_EL2
3 4  1  3  - SDER32_EL2
3 4  2  0  TTBR0_EL2 TTBR1_EL2 TCR_EL2
3 4  2  1  VTTBR_EL2 - VTCR_EL2
3 4  2  2  VNCR_EL2
3 4  2  6  VSTTBR_EL2 - VSTCR_EL2
3 4  3  0  DACR32_EL2
3 4  3  1  - - - - HDFGRTR_EL2 HDFGWTR_EL2
3 4  4  0  SPSR_EL2 ELR_EL2
3 4  4  1  SP_EL1
3 4  4  3  SPSR_irq SPSR_abt SPSR_und SPSR_fiq
3 4  5  0  - IFSR32_EL2
3 4  5  1  AFSR0_EL2 AFSR1_EL2
3 4  5  2  ESR_EL2 - - VSESR_EL2
3 4  5  3  FPEXC32_EL2
3 4  5  6  TFSR_EL2
3 4  6  0  FAR_EL2 - - - HPFAR_EL2
3 4  9  9  PMSCR_EL2
3 4 10  2  MAIR_EL2
3 4 10  3  AMAIR_EL2
3 4 10  4  MPAMHCR_EL2 MPAMVPMV_EL2
3 4 10  5  MPAM2_EL2
3 4 10  6  MPAMVPM0_EL2 MPAMVPM1_EL2 MPAMVPM2_EL2 MPAMVPM3_EL2 MPAMVPM4_EL2 MPAMVPM5_EL2 MPAMVPM6_EL2 MPAMVPM7_EL2
3 4 12  0  VBAR_EL2 r:RVBAR_EL2 RMR_EL2
3 4 12  1  - VDISR_EL2
3 4 12  8  ICH_AP0R0_EL2 ICH_AP0R1_EL2 ICH_AP0R2_EL2 ICH_AP0R3_EL2
3 4 12  9  ICH_AP1R0_EL2 ICH_AP1R1_EL2 ICH_AP1R2_EL2 ICH_AP1R3_EL2 - ICC_SRE_EL2
3 4 12 11  ICH_HCR_EL2 r:ICH_VTR_EL2 r:ICH_MISR_EL2 r:ICH_EISR_EL2 - r:ICH_ELRSR_EL2 - ICH_VMCR_EL2
3 4 12 12  ICH_LR0_EL2 ICH_LR1_EL2 ICH_LR2_EL2 ICH_LR3_EL2 ICH_LR4_EL2 ICH_LR5_EL2 ICH_LR6_EL2 ICH_LR7_EL2
3 4 12 13  ICH_LR8_EL2 ICH_LR9_EL2 ICH_LR10_EL2 ICH_LR11_EL2 ICH_LR12_EL2 ICH_LR13_EL2 ICH_LR14_EL2 ICH_LR15_EL2
3 4 13  0  - CONTEXTIDR_EL2 TPIDR_EL2 - - - - SCXTNUM_EL2
3 4 13  8  AMEVCNTVOFF00_EL2 AMEVCNTVOFF01_EL2 AMEVCNTVOFF02_EL2 AMEVCNTVOFF03_EL2 AMEVCNTVOFF04_EL2 AMEVCNTVOFF05_EL2 AMEVCNTVOFF06_EL2 AMEVCNTVOFF07_EL2
3 4 13  9  AMEVCNTVOFF08_EL2 AMEVCNTVOFF09_EL2 AMEVCNTVOFF010_EL2 AMEVCNTVOFF011_EL2 AMEVCNTVOFF012_EL2 AMEVCNTVOFF013_EL2 AMEVCNTVOFF014_EL2 AMEVCNTVOFF015_EL2
3 4 13 10  AMEVCNTVOFF10_EL2 AMEVCNTVOFF11_EL2 AMEVCNTVOFF12_EL2 AMEVCNTVOFF13_EL2 AMEVCNTVOFF14_EL2 AMEVCNTVOFF15_EL2 AMEVCNTVOFF16_EL2 AMEVCNTVOFF17_EL2
3 4 13 11  AMEVCNTVOFF18_EL2 AMEVCNTVOFF19_EL2 AMEVCNTVOFF110_EL2 AMEVCNTVOFF111_EL2 AMEVCNTVOFF112_EL2 AMEVCNTVOFF113_EL2 AMEVCNTVOFF114_EL2 AMEVCNTVOFF115_EL2
3 4 14  0  - - - CNTVOFF_EL2 CNTSCALE_EL2 CNTISCALE_EL2 CNTPOFF_EL2 CNTVFRQ_EL2
3 4 14  1  CNTHCTL_EL2
3 4 14  2  CNTHP_TVAL_EL2 CNTHP_CTL_EL2 CNTHP_CVAL_EL2
3 4 14  3  CNTHV_TVAL_EL2 CNTHV_CTL_EL2 CNTHV_CVAL_EL2
3 4 14  4  CNTHVS_TVAL_EL2 CNTHVS_CTL_EL2 CNTHVS_CVAL_EL2
3 4 14  5  CNTHPS_TVAL_EL2 CNTHPS_CTL_EL2 CNTHPS_CVAL_EL2
3 5  1  0  SCTLR_EL12 - CPACR_EL12
3 5  1  2  ZCR_EL12 TRFCR_EL12
3 5  2  0  TTBR0_EL12 TTBR1_EL12 TCR_EL12
3 5  4  0  SPSR_EL12 ELR_EL12
3 5  5  1  AFSR0_EL12 AFSR1_EL12
3 5  5  2  ESR_EL12
3 5  5  6  TFSR_EL12
3 5  6  0  FAR_EL12
3 5  9  9  PMSCR_EL12
3 5 10  2  MAIR_EL12
3 5 10  3  AMAIR_EL12
3 5 10  5  MPAM1_EL12
3 5 12  0  VBAR_EL12
3 5 13  0  - CONTEXTIDR_EL12 - - - - - SCXTNUM_EL12
3 5 14  1  CNTKCTL_EL12
3 5 14  2  CNTP_TVAL_EL02 CNTP_CTL_EL02 CNTP_CVAL_EL02
3 5 14  3  CNTV_TVAL_EL02 CNTV_CTL_EL02 CNTV_CVAL_EL02
3 6  1  0  SCTLR_EL3 ACTLR_EL3
3 6  1  1  SCR_EL3 SDER32_EL3 CPTR_EL3
3 6  1  2  ZCR_EL3
3 6  1  3  - MDCR_EL3
3 6  2  0  TTBR0_EL3 - TCR_EL3
3 6  4  0  SPSR_EL3 ELR_EL3
3 6  4  1  SP_EL2
3 6  5  1  AFSR0_EL3 AFSR1_EL3
3 6  5  2  ESR_EL3
3 6  5  6  TFSR_EL3
3 6  6  0  FAR_EL3
3 6 10  2  MAIR_EL3
3 6 10  3  AMAIR_EL3
3 6 10  5  MPAM3_EL3
3 6 12  0  VBAR_EL3 r:RVBAR_EL3 RMR_EL3
3 6 12 12  - - - - ICC_CTLR_EL3 ICC_SRE_EL3 - ICC_IGRPEN1_EL3
3 6 13  0  - - TPIDR_EL3 - - - - SCXTNUM_EL3
3 7 14  2  CNTPS_TVAL_EL1 CNTPS_CTL_EL1 CNTPS_CVAL_EL1
`;

/** A line: mnemonic, op1, CRn, CRm, then the names for op2 = 0, 1, …; op0 is 1; `!` marks those without a register. */
// deno-fmt-ignore
const INSTRUCTIONS = `
ic   0 7  1  ialluis!
ic   0 7  5  iallu!
ic   3 7  5  - ivau
dc   0 7  6  - ivac isw igvac igsw igdvac igdsw
dc   0 7 10  - - csw - cgsw - cgdsw
dc   0 7 14  - - cisw - cigsw - cigdsw
dc   3 7  4  - zva - gva gzva
dc   3 7 10  - cvac - cgvac - cgdvac
dc   3 7 11  - cvau
dc   3 7 12  - cvap - cgvap - cgdvap
dc   3 7 13  - cvadp - cgvadp - cgdvadp
dc   3 7 14  - civac - cigvac - cigdvac
at   0 7  8  s1e1r s1e1w s1e0r s1e0w
at   0 7  9  s1e1rp s1e1wp
at   4 7  8  s1e2r s1e2w - - s12e1r s12e1w s12e0r s12e0w
at   6 7  8  s1e3r s1e3w
tlbi 0 8  1  vmalle1os! vae1os aside1os vaae1os - vale1os - vaale1os
tlbi 0 8  2  - rvae1is - rvaae1is - rvale1is - rvaale1is
tlbi 0 8  3  vmalle1is! vae1is aside1is vaae1is - vale1is - vaale1is
tlbi 0 8  5  - rvae1os - rvaae1os - rvale1os - rvaale1os
tlbi 0 8  6  - rvae1 - rvaae1 - rvale1 - rvaale1
tlbi 0 8  7  vmalle1! vae1 aside1 vaae1 - vale1 - vaale1
tlbi 4 8  0  - ipas2e1is ripas2e1is - - ipas2le1is ripas2le1is
tlbi 4 8  1  alle2os! vae2os - - alle1os! vale2os vmalls12e1os!
tlbi 4 8  2  - rvae2is - - - rvale2is
tlbi 4 8  3  alle2is! vae2is - - alle1is! vale2is vmalls12e1is!
tlbi 4 8  4  ipas2e1os ipas2e1 ripas2e1 ripas2e1os ipas2le1os ipas2le1 ripas2le1 ripas2le1os
tlbi 4 8  5  - rvae2os - - - rvale2os
tlbi 4 8  6  - rvae2 - - - rvale2
tlbi 4 8  7  alle2! vae2 - - alle1! vale2 vmalls12e1!
tlbi 6 8  1  alle3os! vae3os - - - vale3os
tlbi 6 8  2  - rvae3is - - - rvale3is
tlbi 6 8  3  alle3is! vae3is - - - vale3is
tlbi 6 8  5  - rvae3os - - - rvale3os
tlbi 6 8  6  - rvae3 - - - rvale3
tlbi 6 8  7  alle3! vae3 - - - vale3
cfp  3 7  3  - - - - rctx
dvp  3 7  3  - - - - - rctx
cpp  3 7  3  - - - - - - - rctx
`;

const encodings: Record<string, number> = {};
const readNames = new Map<number, string>(), writeNames = new Map<number, string>();
const byLowerCase = new Map<string, number>();

for (const line of [...REGISTERS.trim().split("\n"), ...TRACE_REGISTERS.trim().split("\n")]) {
  const [op0, op1, CRn, CRm, ...columns] = line.split(/ +/) as [string, string, string, string, ...string[]];
  for (const [op2, column] of columns.entries()) {
    const encoding = systemEncoding(Number(op0), Number(op1), Number(CRn), Number(CRm), op2);
    for (const item of column.split("|")) {
      if (item === "-") continue;
      const name = item.replace(/^[rw]:/, "");
      encodings[name] = encoding;
      byLowerCase.set(name.toLowerCase(), encoding);
      if (!item.startsWith("w:")) readNames.set(encoding, name);
      if (!item.startsWith("r:")) writeNames.set(encoding, name);
    }
  }
}

/** Encoding of every named system register of Armv8.0 to 8.6, by name (see `systemEncoding`). */
export const SYSTEM_REGISTERS: Readonly<Record<string, number>> = encodings;

/** A DC, IC, TLBI, AT or prediction instruction: an alias of SYS. */
export interface SystemInstruction {
  /** Encoding of op0 = 1, op1, CRn, CRm and op2, as `systemEncoding` has it. */
  readonly encoding: number;
  /** True when Xt is an operand; otherwise Rt is 31. */
  readonly hasRegister: boolean;
}

const instructions: Record<string, SystemInstruction> = {};
const instructionNames = new Map<number, string>();

for (const line of INSTRUCTIONS.trim().split("\n")) {
  const [mnemonic, op1, CRn, CRm, ...columns] = line.split(/ +/) as [
    string,
    string,
    string,
    string,
    ...string[],
  ];
  for (const [op2, column] of columns.entries()) {
    if (column === "-") continue;
    const name = `${mnemonic} ${column.replace("!", "")}`;
    const encoding = systemEncoding(1, Number(op1), Number(CRn), Number(CRm), op2);
    instructions[name] = { encoding, hasRegister: !column.endsWith("!") };
    instructionNames.set(encoding, name);
  }
}

/** Every named system instruction, by name in lower case: `dc ivac`, `tlbi vmalle1`. */
export const SYSTEM_INSTRUCTIONS: Readonly<Record<string, SystemInstruction>> = instructions;

/** Name of a system register for MRS or for MSR; one without a name gives `S3_0_C1_C0_0`. */
export function systemRegisterName(encoding: number, access: "read" | "write"): string {
  const name = (access === "read" ? readNames : writeNames).get(encoding);
  if (name !== undefined) return name;
  const [op1, CRn, CRm] = [encoding >> 11 & 7, encoding >> 7 & 15, encoding >> 3 & 15];
  return `S${encoding >> 14}_${op1}_C${CRn}_C${CRm}_${encoding & 7}`;
}

/** Encoding of a system register's name, in any case, `S3_0_C1_C0_0` included; undefined when there is none. */
export function encodingOfSystemRegister(name: string): number | undefined {
  const known = byLowerCase.get(name.toLowerCase());
  if (known !== undefined) return known;
  const parts = /^s([0-3])_([0-7])_c(\d+)_c(\d+)_([0-7])$/i.exec(name);
  if (parts === null) return undefined;
  const [, op0, op1, CRn, CRm, op2] = parts.map(Number) as [number, number, number, number, number, number];
  return CRn < 16 && CRm < 16 ? systemEncoding(op0, op1, CRn, CRm, op2) : undefined;
}

/** Name of a system instruction such as `dc ivac`; undefined when there is none. */
export function systemInstructionName(encoding: number): string | undefined {
  return instructionNames.get(encoding);
}
