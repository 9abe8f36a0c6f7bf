package embedded

// Exposed says why the server would not listen where other machines reach it.
func Exposed(cfg Config) error {
	opts, err := cfg.readServerConfig()
	if err != nil {
		return err
	}
	return cfg.checkExposure(opts)
}
