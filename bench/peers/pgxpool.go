// SPDX-FileCopyrightText: 2026 the pqpool authors
// SPDX-License-Identifier: PostgreSQL

// pgxpool, with the cases and the output of harness.c.  Its clients are
// goroutines.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	hold  = 50 * time.Microsecond
	pairs = 64
	rows  = 1000000
)

const (
	warmUp int32 = iota
	measure
	done
)

var (
	pool  *pgxpool.Pool
	phase int32
	ctx   = context.Background()
)

type client struct {
	done  int
	times []time.Duration
	rand  *rand.Rand
	_     [128]byte
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func acquire() *pgxpool.Conn {
	conn, err := pool.Acquire(ctx)
	check(err)
	return conn
}

func (c *client) pair() {
	for i := 0; i < pairs; i++ {
		acquire().Release()
	}
	c.done += pairs
}

func (c *client) hold() {
	began := time.Now()
	conn := acquire()
	got := time.Now()
	for time.Since(got) < hold {
	}
	conn.Release()
	c.times = append(c.times, got.Sub(began))
	c.done++
}

func (c *client) ask(sql string, args ...interface{}) {
	began := time.Now()
	conn := acquire()
	var number int
	check(conn.QueryRow(ctx, sql, args...).Scan(&number))
	conn.Release()
	c.times = append(c.times, time.Since(began))
	c.done++
}

// pgx prepares every statement once for each connection by itself.
func (c *client) lookup() {
	c.ask("SELECT abalance FROM pgbench_accounts WHERE aid = $1",
		c.rand.Intn(rows)+1)
}

func (c *client) selectOne() {
	c.ask("SELECT 1")
}

func (c *client) run(step func(*client)) {
	for atomic.LoadInt32(&phase) == warmUp {
		step(c)
	}
	c.done, c.times = 0, c.times[:0]
	for atomic.LoadInt32(&phase) == measure {
		step(c)
	}
}

func runClients(step func(*client), threads int, ms int) {
	clients := make([]client, threads)
	var group sync.WaitGroup
	for i := range clients {
		group.Add(1)
		clients[i].rand = rand.New(rand.NewSource(int64(i)))
		go func(c *client) {
			c.run(step)
			group.Done()
		}(&clients[i])
	}
	time.Sleep(time.Duration(ms) * time.Millisecond / 5)
	began := time.Now()
	atomic.StoreInt32(&phase, measure)
	time.Sleep(time.Duration(ms) * time.Millisecond)
	atomic.StoreInt32(&phase, done)
	took := time.Since(began)
	group.Wait()
	report(clients, took)
}

func report(clients []client, took time.Duration) {
	sum, least := 0, clients[0].done
	var all []time.Duration
	for i := range clients {
		c := &clients[i]
		sum += c.done
		if c.done < least {
			least = c.done
		}
		all = append(all, c.times...)
	}
	fmt.Printf("rate %.0f\n", float64(sum)/took.Seconds())
	fmt.Printf("fairness %.4f\n",
		float64(least*len(clients))/float64(sum))
	if len(all) == 0 {
		return
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	fmt.Printf("p50 %.2f\n", all[len(all)/2].Seconds()*1e6)
	fmt.Printf("p99 %.2f\n", all[len(all)*99/100].Seconds()*1e6)
}

// All at once: the quickest way it has to fill itself.
func open(size int) {
	config, err := pgxpool.ParseConfig(os.Getenv("BENCH_DSN"))
	check(err)
	config.MaxConns = int32(size)
	pool, err = pgxpool.ConnectConfig(ctx, config)
	check(err)
	conns := make([]*pgxpool.Conn, size)
	var group sync.WaitGroup
	for i := range conns {
		group.Add(1)
		go func(i int) {
			conns[i] = acquire()
			group.Done()
		}(i)
	}
	group.Wait()
	for _, conn := range conns {
		conn.Release()
	}
}

func printMemory() {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			fmt.Println("kb", strings.Fields(line)[1])
		}
	}
}

func main() {
	size, _ := strconv.Atoi(os.Args[2])
	threads, _ := strconv.Atoi(os.Args[3])
	ms, _ := strconv.Atoi(os.Args[4])
	began := time.Now()
	open(size)
	switch os.Args[1] {
	case "cold":
		fmt.Printf("ms %.2f\n", time.Since(began).Seconds()*1e3)
	case "memory":
		time.Sleep(200 * time.Millisecond) // a release ends in the background
		printMemory()
	case "pair":
		runClients((*client).pair, threads, ms)
	case "hold":
		runClients((*client).hold, threads, ms)
	case "select":
		runClients((*client).selectOne, threads, ms)
	case "lookup":
		runClients((*client).lookup, threads, ms)
	default:
		log.Fatal("no such case")
	}
}
