"""`make soak`: fifty compressed nights of two hundred hosts, a tenth of them ill, and everything else going wrong."""
