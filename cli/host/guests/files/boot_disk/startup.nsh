fs0:
Image initrd=\initrd.gz console=ttyAMA0 panic=-1
