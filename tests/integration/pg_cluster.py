"""A PostgreSQL standby that streams from a primary, for the fail-over tests."""

from daemon import until
from pg import PATIENCE_S, Postgres


class Standby(Postgres):
    """Made by pg_basebackup -R from a running primary; read-only until promote()."""

    def __init__(self, primary):
        self.primary = primary
        super().__init__(start=False)
        try:
            self.start()
            until(self.streams, "the standby streams", PATIENCE_S)
        except BaseException:
            self.close()
            raise

    def _initdb(self, config, auth, hba):
        self._run(self.bin + "/pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                  "--no-sync", "-h", self.primary.sockets, "-p", str(self.primary.port), "-U",
                  "postgres")
        with open(self.data + "/postgresql.conf", "a") as file:
            file.write("port = %d\nunix_socket_directories = '%s'\nhot_standby = on\n"
                       "wal_retrieve_retry_interval = 500ms\n" % (self.port, self.sockets))

    def streams(self):
        return self.primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = "
                                "'streaming'").strip() == "1"

    def caught_up(self):
        """Waits until it has what the primary has now."""
        at = self.primary.sql("SELECT pg_current_wal_lsn()").strip()
        until(lambda: self.sql("SELECT pg_last_wal_replay_lsn() >= '%s'" % at).strip() == "t",
              "the standby has caught up", PATIENCE_S)

    def promote(self):
        self._run(self.bin + "/pg_ctl", "promote", "-D", self.data, "-w")
