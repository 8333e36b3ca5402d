"""Event -> evidence -> verdict; core: no I/O, no clock, no global chance."""
