// SPDX-FileCopyrightText: 2026 the pqpool authors
// SPDX-License-Identifier: PostgreSQL
// HikariCP, with the cases and the output of harness.c.  Java's driver knows no
// Unix socket: it goes through the loopback device.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

public final class Hikari {
    static final int HOLD_NS = 50_000, PAIRS = 64, ROWS = 1_000_000;
    static final int WARM_UP = 0, MEASURE = 1, DONE = 2;
    static volatile int phase = WARM_UP;
    static HikariDataSource pool;

    static final class Client extends Thread {
        final String what;
        long done;
        long[] times = new long[1 << 16];
        int count;

        Client(String what) {
            this.what = what;
        }

        void took(long ns) {
            if (count == times.length)
                times = Arrays.copyOf(times, count * 2);
            times[count++] = ns;
        }

        void step() throws SQLException {
            long began = System.nanoTime();
            switch (what) {
            case "pair":
                for (int i = 0; i < PAIRS; i++)
                    pool.getConnection().close();
                done += PAIRS;
                return;
            case "hold":
                try (Connection c = pool.getConnection()) {
                    long got = System.nanoTime();
                    while (System.nanoTime() < got + HOLD_NS)
                        ;
                    took(got - began);
                }
                break;
            default:
                ask();
                took(System.nanoTime() - began);
            }
            done++;
        }

        // The driver prepares what it sees for the fifth time.
        void ask() throws SQLException {
            boolean lookup = what.equals("lookup");
            try (Connection c = pool.getConnection();
                 PreparedStatement s = c.prepareStatement(lookup
                     ? "SELECT abalance FROM pgbench_accounts WHERE aid = ?"
                     : "SELECT 1")) {
                if (lookup)
                    s.setInt(1, ThreadLocalRandom.current().nextInt(ROWS) + 1);
                try (ResultSet rows = s.executeQuery()) {
                    rows.next();
                    rows.getString(1);
                }
            }
        }

        @Override
        public void run() {
            try {
                while (phase == WARM_UP)
                    step();
                done = 0;
                count = 0;
                while (phase == MEASURE)
                    step();
            } catch (SQLException e) {
                e.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        }
    }

    static void open(int size) throws Exception {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(System.getenv("BENCH_JDBC"));
        config.setMaximumPoolSize(size);
        config.setMinimumIdle(size);
        config.setConnectionTimeout(60_000);
        pool = new HikariDataSource(config);
        while (pool.getHikariPoolMXBean().getTotalConnections() < size)
            Thread.sleep(1);
    }

    static void runClients(String what, int threads, int ms) throws Exception {
        Client[] clients = new Client[threads];
        for (int i = 0; i < threads; i++)
            (clients[i] = new Client(what)).start();
        Thread.sleep(Math.max(800, ms / 5)); // the compiler's time
        long began = System.nanoTime();
        phase = MEASURE;
        Thread.sleep(ms);
        phase = DONE;
        double seconds = (System.nanoTime() - began) / 1e9;
        long done = 0, least = Long.MAX_VALUE;
        int samples = 0;
        for (Client c : clients) {
            c.join();
            done += c.done;
            least = Math.min(least, c.done);
            samples += c.count;
        }
        System.out.printf("rate %.0f%n", done / seconds);
        System.out.printf("fairness %.4f%n", (double) least * threads / done);
        if (samples == 0)
            return;
        long[] all = new long[samples];
        int at = 0;
        for (Client c : clients) {
            System.arraycopy(c.times, 0, all, at, c.count);
            at += c.count;
        }
        Arrays.sort(all);
        System.out.printf("p50 %.2f%n", all[samples / 2] / 1e3);
        System.out.printf("p99 %.2f%n", all[(int) (samples * .99)] / 1e3);
    }

    static void printMemory() throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/status")))
            if (line.startsWith("VmRSS:"))
                System.out.println("kb " + line.replaceAll("\\D", ""));
    }

    public static void main(String[] args) throws Exception {
        int size = Integer.parseInt(args[1]);
        long began = System.nanoTime();
        open(size);
        if (args[0].equals("cold"))
            System.out.printf("ms %.2f%n", (System.nanoTime() - began) / 1e6);
        else if (args[0].equals("memory"))
            printMemory();
        else
            runClients(args[0], Integer.parseInt(args[2]),
                       Integer.parseInt(args[3]));
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
