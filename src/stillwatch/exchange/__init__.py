"""What providers exchange: warnings as STIX, carried by TAXII, and the notaries that blind values."""
