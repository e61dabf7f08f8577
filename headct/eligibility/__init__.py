"""May this series be judged, and if not, why. Headers first, then pixels, because headers are often wrong.

An absent attribute alone never refuses a series, nor does ImageType: axial reformats are often the only brain
series. What a header says plainly (MR, contrast agent, bone kernel) is believed; what it leaves out is
measured.
"""
